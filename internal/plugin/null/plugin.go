// Package null does nothing, for trying out configuration and for testing what
// surrounds a plugin: hooks, records, reports. It runs nothing, waits for
// nothing and reaches nothing.
//
//	build {
//	  use "null" {}
//	}
//
//	deploy {
//	  use "null" {}
//	}
package null

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin builds, deploys and releases nothing.
var Plugin = component.Plugin{
	Name:     "null",
	Summary:  "Do nothing, for trying out configuration.",
	Builder:  component.NewBuilder(openBuilder),
	Platform: component.NewPlatform(openPlatform),
	Releaser: component.NewReleaser(openReleaser),
	Sourcer:  component.NewSourcer(openSourcer),

	DefaultRelease: true,
}
