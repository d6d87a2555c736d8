// Package inplace is a plugin whose platform is the opposite of a simple one:
// it updates one job in place, keeps a gateway that all deployments of an app
// share, remembers earlier versions so that it can restore them, and its
// releaser moves traffic by weight. Its service is [Service], in memory.
//
//	deploy {
//	  use "inplace" {
//	    pool     = "blue"
//	    replicas = 2
//	  }
//	}
//
// It exists so that the contract of package plugintest, and with it the
// interfaces of package component, fit both kinds of platform. It is no
// built-in plugin.
package inplace

import "github.com/deploy-action/deploy-action/internal/component"

// New returns the plugin, which reaches its service without HTTP.
func New(service *Service) component.Plugin {
	return component.Plugin{
		Name:     "inplace",
		Summary:  "Run a version of a job that is updated in place.",
		Platform: component.NewPlatform(service.openPlatform),
		Releaser: component.NewReleaser(service.openReleaser),

		DefaultRelease: true,
	}
}
