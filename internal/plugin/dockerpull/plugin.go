// Package dockerpull takes an image that is in a registry already. Unlike
// docker-ref it asks the registry, so that a tag that moves later changes
// nothing for what was deployed, and it has a login of its own.
//
//	build {
//	  use "docker-pull" {
//	    image = "ghcr.io/acme/web"
//	    tag   = "1.4"
//	  }
//	}
package dockerpull

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin takes an image that is in a registry already.
var Plugin = component.Plugin{
	Name:    "docker-pull",
	Summary: "Take a container image from a registry, by what its tag names now.",
	Builder: component.NewBuilder(openBuilder),
}
