//go:build servers

package awslambda

import (
	"net/http"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

var secondImage = artifact.Image{Repository: repository, Digest: "sha256:f" + digits[1:], Architecture: "arm64"}

// TestContract runs images, with all that a deployment can have.
func TestContract(t *testing.T) {
	t.Parallel()
	moto := servers.Moto(t, servers.ManagedPolicies)
	plugintest.Platform(t, plugintest.PlatformCase{
		Plugin: Plugin, RealTime: true, Sample: 3,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			account := newAccount(t, moto)
			account.empty()
			return plugintest.World{
				Host: account.host, Reads: servers.ReadsAWS, Exists: account.exists,
				Config:   `region = "us-east-1"` + "\n" + `plaintext_secrets = true`,
				Artifact: firstImage, Another: secondImage,
			}
		},
	})
}

// account is an AWS of the test.
type account struct {
	*client
	t    *testing.T
	host component.Host
}

// newAccount returns access to moto.
func newAccount(t *testing.T, moto *servers.MotoServer) *account {
	t.Helper()
	host := component.Host{Getenv: moto.Getenv, HTTP: &http.Client{Transport: http.DefaultTransport}, Progress: quiet{}}
	opened, err := openPlatform(host, Config{Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := opened.(*platform).client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &account{c, t, host}
}
