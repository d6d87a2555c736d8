package inplace_test

import (
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest/inplace"
)

func TestPlatform(t *testing.T) {
	t.Parallel()
	plugintest.Platform(t, plugintest.PlatformCase{Plugin: inplace.New(nil), New: newWorld})
}

func TestReleaser(t *testing.T) {
	t.Parallel()
	plugintest.Releaser(t, plugintest.ReleaserCase{Plugin: inplace.New(nil), New: newWorld})
}

func newWorld(_ *testing.T, calls *plugintest.Calls) plugintest.World {
	service := inplace.NewService(calls)
	return plugintest.World{
		Plugin:   inplace.New(service),
		Config:   `pool = "blue"`,
		Artifact: artifact.Image{Repository: "registry.test/web", Tag: "1"},
		Another:  artifact.Image{Repository: "registry.test/web", Tag: "2"},
		Exists:   service.Exists,
		Serving: func(d component.Deployment) string {
			return service.Image(d.Vars()["job"].AsString())
		},
		Traffic: func(app component.App) map[string]int { return service.Traffic(inplace.JobName(app)) },
	}
}
