// Package dockerref names an image that is in a registry already. It builds
// nothing, pulls nothing, and does not ask whether the image exists.
//
//	build {
//	  use "docker-ref" {
//	    image = "ghcr.io/acme/web"
//	    tag   = "1.4"
//	  }
//	}
package dockerref

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin names an image that is in a registry already.
var Plugin = component.Plugin{
	Name:    "docker-ref",
	Summary: "Deploy a container image that is in a registry already.",
	Builder: component.NewBuilder(openBuilder),
}
