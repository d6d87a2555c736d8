// Package pack builds container images of source code with Cloud Native
// Buildpacks, through the library of the tool of that name. It needs a Docker
// engine, in which the buildpacks run; what they make is taken out of it, so
// that it is pushed and deployed as every other image is.
//
//	build {
//	  use "pack" {
//	    builder            = "paketobuildpacks/builder-jammy-base"
//	    process_type       = "web"
//	    static_environment = { BP_GO_TARGETS = "./cmd/web" }
//	  }
//	}
package pack

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin builds images with buildpacks.
var Plugin = component.Plugin{
	Name:    "pack",
	Summary: "Build a container image with Cloud Native Buildpacks, in a Docker engine.",
	Builder: component.NewBuilder(openBuilder),
}
