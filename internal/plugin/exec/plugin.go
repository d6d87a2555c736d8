// Package exec deploys by running a command, for platforms that only a tool of
// their own can reach.
//
// What the command makes is its own affair: this plugin neither finds nor
// removes it, and asks it for no health and no logs.
//
//	deploy {
//	  use "exec" {
//	    command = ["sh", "deploy.sh", "{{ .Input.DockerImageFull }}", "<TPL>"]
//
//	    template {
//	      path = "settings.tpl"
//	    }
//	  }
//	}
package exec

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin deploys by running a command.
var Plugin = component.Plugin{
	Name:     "exec",
	Summary:  "Run a command that deploys by its own means.",
	Platform: component.NewPlatform(openPlatform),
}
