//go:build servers

package servers_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		config             servers.RegistryConfig
		username, password string
		want               int
	}{
		"open":           {want: http.StatusOK},
		"login":          {config: servers.RegistryConfig{Username: "me", Password: "pw"}, username: "me", password: "pw", want: http.StatusOK},
		"wrong password": {config: servers.RegistryConfig{Username: "me", Password: "pw"}, username: "me", password: "no", want: http.StatusUnauthorized},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := servers.Registry(t, c.config)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+registry.Host+"/v2/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.username != "" {
				req.SetBasicAuth(c.username, c.password)
			}
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.want {
				body, _ := io.ReadAll(resp.Body)
				t.Errorf("GET /v2/ = %s, want %d: %s", resp.Status, c.want, body)
			}
		})
	}
}

func TestDocker(t *testing.T) {
	t.Parallel()
	engine := servers.Docker(t)
	for range 2 {
		engine.ImportBusybox(t)
	}
	image, err := engine.Client.ImageInspect(t.Context(), servers.Busybox)
	if err != nil || image.Os != "linux" {
		t.Errorf("the engine has %s as %q (%v), want an image for linux", servers.Busybox, image.Os, err)
	}
}

func TestBuildKit(t *testing.T) {
	t.Parallel()
	registry := servers.Registry(t, servers.RegistryConfig{})
	buildkit := servers.BuildKit(t, registry.Host)
	dir := t.TempDir()
	build := func(name, dockerfile string) error {
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
			t.Fatal(err)
		}
		return buildkit.Run(t.Context(), "build", "--frontend", "dockerfile.v0", "--local", "context="+dir, "--local", "dockerfile="+dir,
			"--output", "type=image,push=true,name="+registry.Host+"/library/"+name)
	}
	if err := build("one:1", "FROM scratch\nCOPY Dockerfile /\n"); err != nil {
		t.Error(err)
	}
	if err := build("two:1", "FROM one:1\nCOPY Dockerfile /again\n"); err != nil {
		t.Errorf("building on what the mirror has: %v", err)
	}
	if err := build("three:1", "FROM none:1\n"); err == nil || !strings.Contains(err.Error(), "none:1: not found") {
		t.Errorf("building on an image that is not there: %v", err)
	}
}

func TestVault(t *testing.T) {
	t.Parallel()
	vault := servers.Vault(t)
	health, err := vault.Client.Sys().HealthWithContext(t.Context())
	if err != nil || health.Sealed || vault.Client.Address() != vault.Address {
		t.Errorf("the Vault at %s says %+v (%v), want it unsealed", vault.Address, health, err)
	}
	if _, err := vault.Client.KVv2("secret").Put(t.Context(), "a", map[string]any{"b": "c"}); err != nil {
		t.Errorf("writing a secret: %v", err)
	}
}
