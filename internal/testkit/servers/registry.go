package servers

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// RegistryConfig says what a registry asks for. Its zero value lets everyone in.
type RegistryConfig struct {
	Username, Password string // the only login; none where Username is ""
	TLS                bool   // with a certificate of an authority of its own
}

// RegistryServer is a container registry that answers.
type RegistryServer struct {
	Host   string       // 127.0.0.1:PORT, the first part of image names
	Client *http.Client // trusts the server
}

// Registry starts an empty registry for the length of the test, version 2 of
// the reference one, at a port of its own.
func Registry(t *testing.T, c RegistryConfig) *RegistryServer {
	t.Helper()
	return startRegistry(t, program(t, "registry", "docker-registry"), c)
}

// Distribution is [Registry] with version 3.
func Distribution(t *testing.T, c RegistryConfig) *RegistryServer {
	t.Helper()
	return startRegistry(t, built(t, "distribution", "github.com/distribution/distribution/v3", "registry"), c)
}

func startRegistry(t *testing.T, binary string, c RegistryConfig) *RegistryServer {
	t.Helper()
	folder := t.TempDir()
	host := freeAddress(t)
	listen := map[string]any{"addr": host}
	result := &RegistryServer{Host: host, Client: &http.Client{Transport: &http.Transport{}}}
	if c.TLS {
		listen["tls"], result.Client = certificate(t, folder)
	}
	settings := map[string]any{
		"version": "0.1",
		"log":     map[string]any{"level": "warn"},
		"storage": map[string]any{
			"filesystem": map[string]any{"rootdirectory": filepath.Join(folder, "data")},
			"delete":     map[string]any{"enabled": true},
		},
		"http": listen,
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
	scheme := "http://"
	if c.TLS {
		scheme = "https://"
	}
	server.await(t, "registry", func(ctx context.Context) error { return answersTo(ctx, result.Client, scheme+host+"/v2/", wanted) })
	return result
}

// certificate writes a certificate for this machine, and returns the registry's
// settings for it and a client that trusts it.
func certificate(t *testing.T, folder string) (settings map[string]any, trusting *http.Client) {
	t.Helper()
	// Its certificate is what is wanted of this server.
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	settings = map[string]any{}
	for name, block := range map[string]*pem.Block{"certificate": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key": {Type: "PRIVATE KEY", Bytes: key}} {
		path := filepath.Join(folder, name+".pem")
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		settings[name] = path
	}
	return settings, server.Client()
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
	// Its own transport keeps no connection that the server would wait for.
	return answersTo(ctx, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, url, status)
}

// answersTo is answers with a client.
func answersTo(ctx context.Context, client *http.Client, url string, status int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close() // only the status matters
	if resp.StatusCode != status {
		return fmt.Errorf("%s answers %s, not %d", url, resp.Status, status)
	}
	return nil
}
