// Package golang builds a Go program with the go command of this machine and
// puts it on a base image, without a Dockerfile.
//
//	build {
//	  use "go" {
//	    package = "./cmd/web"
//	  }
//	}
package golang

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin builds Go programs.
var Plugin = component.Plugin{
	Name:    "go",
	Summary: "Build a container image of a Go program, without a Dockerfile.",
	Builder: component.NewBuilder(openBuilder),
}
