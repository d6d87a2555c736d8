package app

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// TestClientTrustsTheBundle looks inside, for no verb of a terminal speaks TLS
// by itself.
func TestClientTrustsTheBundle(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	dir := t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("own.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	write("empty.pem", []byte("nothing"))

	client := func(bundle string) (*http.Client, error) {
		m := &machine{Sys: Sys{Dir: dir}}
		m.getenv = lookup([]string{"INPUT_CA-BUNDLE=" + bundle})
		m.runner = workflow.New(m.getenv, io.Discard)
		return m.client()
	}
	for bundle, trusted := range map[string]bool{"own.pem": true, "": false} {
		c, err := client(bundle)
		if err != nil {
			t.Fatal(err)
		}
		response, err := c.Get(server.URL)
		if err == nil {
			_ = response.Body.Close() // nothing was read
		}
		if (err == nil) != trusted {
			t.Errorf("with bundle %q: %v, want trusted: %v", bundle, err, trusted)
		}
	}
	for _, bundle := range []string{"empty.pem", "missing.pem"} {
		if _, err := client(bundle); err == nil {
			t.Errorf("bundle %q is accepted", bundle)
		} else if _, ok := err.(*engine.InvalidError); !ok {
			t.Errorf("bundle %q: %v, want an invalid call", bundle, err)
		}
	}
}
