package app

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/deploy-action/deploy-action/internal/workflow"
)

// newProxy starts a proxy that leads everywhere to one place, and counts.
func newProxy(t *testing.T, to string) (address string, tunnels *atomic.Int32) {
	t.Helper()
	tunnels = new(atomic.Int32)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tunnels.Add(1)
		if r.Method != http.MethodConnect {
			return
		}
		upstream, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", to)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer upstream.Close()
		own, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer own.Close()
		_, _ = io.WriteString(own, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(upstream, own) }()
		_, _ = io.Copy(own, upstream) // until either side closes
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL, tunnels
}

// The variables of the invocation choose the proxy, and the bundle is trusted
// behind it.
func TestClientUsesTheProxy(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{}
	server.StartTLS()
	t.Cleanup(server.Close)
	bundle := filepath.Join(t.TempDir(), "own.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy, tunnels := newProxy(t, server.Listener.Addr().String())
	// The certificate is for example.com, and only the proxy knows where that is.
	cases := map[string]struct {
		environ []string
		through bool
	}{
		"upper case": {[]string{"HTTPS_PROXY=" + proxy}, true},
		"lower case": {[]string{"https_proxy=" + proxy}, true},
		"not for it": {[]string{"HTTPS_PROXY=" + proxy, "NO_PROXY=.internal.test,example.com"}, false},
		"plain only": {[]string{"HTTP_PROXY=" + proxy}, false},
	}
	for name, c := range cases {
		m := &machine{Sys: Sys{Dir: t.TempDir()}}
		m.getenv = lookup(append(c.environ, "INPUT_CA-BUNDLE="+bundle))
		m.runner = workflow.New(m.getenv, io.Discard)
		client, err := m.client()
		if err != nil {
			t.Fatal(err)
		}
		before := tunnels.Load()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if !c.through {
			if chosen, err := client.Transport.(*http.Transport).Proxy(request); err != nil || chosen != nil {
				t.Errorf("%s: the proxy is %v, %v, want none", name, chosen, err)
			}
			continue
		}
		response, err := client.Do(request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = response.Body.Close() // nothing was read
		client.CloseIdleConnections()
		if tunnels.Load() != before+1 {
			t.Errorf("%s: %d connections went through the proxy, want 1", name, tunnels.Load()-before)
		}
	}
}
