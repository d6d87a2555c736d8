//go:build servers

package awsecs

import (
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// image returns an image with a digest made of one letter.
func image(letter byte) artifact.Image {
	digest := make([]byte, 64)
	for i := range digest {
		digest[i] = letter
	}
	return artifact.Image{Repository: "123456789012.dkr.ecr.us-east-1.amazonaws.com/web", Tag: "v1", Digest: "sha256:" + string(digest), Architecture: "amd64"}
}

// tried is the plugin at a pace for tests.
func tried() component.Plugin {
	p := Plugin
	p.Platform = component.NewPlatform(quick.open)
	return p
}

// worlds makes empty accounts on one server.
func worlds(moto *servers.MotoServer, config string) func(*testing.T, *plugintest.Calls) plugintest.World {
	return func(t *testing.T, _ *plugintest.Calls) plugintest.World {
		a := newAccount(t, moto)
		return plugintest.World{
			Host: a.host(), Config: config, Secrets: []secret.Text{"test-secret-key"},
			Artifact: image('a'), Another: image('b'),
			Reads:   servers.ReadsAWS,
			Exists:  a.owner(t).exists,
			Traffic: func(component.App) map[string]int { return a.owner(t).traffic() },
		}
	}
}

func TestWorker(t *testing.T) {
	moto := servers.Moto(t, servers.ManagedPolicies, "MOTO_ECS_SERVICE_RUNNING=1")
	plugintest.Platform(t, plugintest.PlatformCase{
		Plugin: tried(), RealTime: true, Sample: 30, New: worlds(moto, "memory = 512\ndisable_alb = true"),
	})
}

func TestPlatform(t *testing.T) {
	moto := servers.Moto(t, servers.ManagedPolicies, "MOTO_ECS_SERVICE_RUNNING=1")
	plugintest.Platform(t, plugintest.PlatformCase{
		Plugin: tried(), RealTime: true, Sample: 30, New: worlds(moto, "memory = 512"),
	})
}

func TestReleaser(t *testing.T) {
	moto := servers.Moto(t, servers.ManagedPolicies, "MOTO_ECS_SERVICE_RUNNING=1")
	plugintest.Releaser(t, plugintest.ReleaserCase{
		Plugin: tried(), RealTime: true, Sample: 30, New: worlds(moto, "memory = 512"),
	})
}
