// Package files takes an app's folder as it is: the builder names it, and the
// registry keeps copies of it in a folder. It builds nothing and uploads
// nothing.
//
//	build {
//	  use "files" {}
//
//	  registry {
//	    use "files" {
//	      path = "/srv/releases"
//	    }
//	  }
//	}
package files

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin takes an app's folder as it is.
var Plugin = component.Plugin{
	Name:     "files",
	Summary:  "Take the app's folder as it is, and keep copies of it.",
	Builder:  component.NewBuilder(openBuilder),
	Registry: component.NewRegistry(openRegistry),
}
