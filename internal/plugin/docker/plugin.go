// Package docker builds container images from Dockerfiles, pushes them to
// registries, and runs them in a Docker engine. Only the last of these needs
// the engine: building and pushing are done by this program itself.
//
//	build {
//	  use "docker" {
//	    dockerfile = "Dockerfile"
//	    build_args = { VERSION = "1.4" }
//	  }
//
//	  registry {
//	    use "docker" {
//	      image = "ghcr.io/acme/web"
//	      tag   = "latest"
//	    }
//	  }
//	}
//
//	deploy {
//	  use "docker" {
//	    service_port = 8080
//	  }
//	}
package docker

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin builds, pushes and runs container images.
var Plugin = component.Plugin{
	Name:     "docker",
	Summary:  "Build a container image from a Dockerfile, push it to a registry, run it in a Docker engine.",
	Builder:  component.NewBuilder(openBuilder),
	Registry: component.NewRegistry(openRegistry),
	Platform: component.NewPlatform(openPlatform),
}
