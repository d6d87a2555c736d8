package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// RegistryConfig says what a registry asks for. Its zero value lets everyone in.
type RegistryConfig struct {
	Username, Password string // the only login; none where Username is ""
}

// RegistryServer is a container registry that answers.
type RegistryServer struct {
	Host string // 127.0.0.1:PORT, the first part of image names
}

// Registry starts an empty registry for the length of the test. It speaks plain
// HTTP, at a port of its own.
func Registry(t *testing.T, c RegistryConfig) *RegistryServer {
	t.Helper()
	binary := program(t, "registry", "docker-registry")
	folder := t.TempDir()
	host := freeAddress(t)
	settings := map[string]any{
		"version": "0.1",
		"log":     map[string]any{"level": "warn"},
		"storage": map[string]any{
			"filesystem": map[string]any{"rootdirectory": filepath.Join(folder, "data")},
			"delete":     map[string]any{"enabled": true},
		},
		"http": map[string]any{"addr": host},
	}
	wanted := http.StatusOK
	if c.Username != "" {
		settings["auth"] = map[string]any{"htpasswd": map[string]any{"realm": "test", "path": writeLogin(t, folder, c)}}
		wanted = http.StatusUnauthorized
	}
	// JSON is YAML.
	file, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "config.yml")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	server := start(t, exec.Command(binary, "serve", path))
	server.await(t, "registry", func(ctx context.Context) error { return answers(ctx, "http://"+host+"/v2/", wanted) })
	return &RegistryServer{Host: host}
}

// writeLogin writes the file of the registry's logins and returns its path.
func writeLogin(t *testing.T, folder string, c RegistryConfig) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(c.Password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "htpasswd")
	if err := os.WriteFile(path, fmt.Appendf(nil, "%s:%s\n", c.Username, hash), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freeAddress returns a loopback address that nothing listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// answers reports why a request is not answered with a status.
func answers(ctx context.Context, url string, status int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	// Its own transport keeps no connection that the server would wait for.
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close() // only the status matters
	if resp.StatusCode != status {
		return fmt.Errorf("%s answers %s, not %d", url, resp.Status, status)
	}
	return nil
}
