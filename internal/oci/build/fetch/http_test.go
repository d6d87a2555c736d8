package fetch

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
)

var helloDigest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("hello")))

// serve runs a handler and returns its address.
func serve(t *testing.T, handler http.HandlerFunc) (address string, client *http.Client) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, server.Client()
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	modified := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	tries := atomic.Int32{}
	address, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n := tries.Add(1); {
		case n == 1:
			w.WriteHeader(http.StatusBadGateway)
		case n == 2:
			w.Header().Set("Content-Length", "5")
			_, _ = w.Write([]byte("he")) // and cuts the connection
		default:
			w.Header().Set("Last-Modified", modified.Format(http.TimeFormat))
			_, _ = w.Write([]byte("hello"))
		}
	})
	dir := t.TempDir()
	file, err := HTTP{Client: client}.Fetch(t.Context(), address+"/x/tool", map[string]string{
		"http.filename": "../up/tool", "http.checksum": helloDigest, "http.perm": "0640",
	}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if file.Name != "tool" || file.Digest != helloDigest || !file.Modified.Equal(modified) {
		t.Errorf("Fetch() = %+v", file)
	}
	content, err := os.ReadFile(filepath.Join(dir, "tool"))
	if err != nil || string(content) != "hello" {
		t.Errorf("content is %q, %v", content, err)
	}
	info, err := os.Stat(filepath.Join(dir, "tool"))
	if err != nil || info.Mode() != 0o640 || !info.ModTime().Equal(modified) {
		t.Errorf("file is %v, %v", info, err)
	}
}

func TestHTTPProblems(t *testing.T) {
	t.Parallel()
	address, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hello":
			_, _ = w.Write([]byte("hello"))
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/private":
			w.WriteHeader(http.StatusForbidden)
		default:
			http.NotFound(w, r)
		}
	})
	tests := map[string]struct {
		url        string
		attributes map[string]string
		limit      int64
		want       string
	}{
		"missing":            {address + "/none", nil, 0, `answered "404 Not Found". Check that "/none" is still there.`},
		"private":            {address + "/private", nil, 0, "fetch the file in a hook before the build and COPY it"},
		"checksum":           {address + "/hello", map[string]string{"http.checksum": "sha256:" + strings.Repeat("0", 64)}, 0, "The file has the checksum " + helloDigest},
		"bad checksum":       {address + "/hello", map[string]string{"http.checksum": "md5:1"}, 0, `The checksum "md5:1" is not one.`},
		"too large":          {address + "/hello", nil, 4, "The file is larger than 4 bytes."},
		"redirects":          {address + "/loop", nil, 0, "redirects again and again"},
		"no URL":             {"https:///x", nil, 0, "The URL cannot be read."},
		"password in no URL": {"ftp://me:hunter2@host/x", nil, 0, "The URL cannot be read."},
		"signature":          {address + "/hello", map[string]string{"http.sig.pubkey": "x"}, 0, `"http.sig.pubkey" is nothing that this build engine`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, err := HTTP{Client: client, Limit: test.limit}.Fetch(t.Context(), test.url, test.attributes, dir)
			p, ok := errors.AsType[*diag.Problem](err)
			if !ok || !strings.Contains(p.Detail, test.want) {
				t.Fatalf("Fetch() = %v, want a problem with %q", err, test.want)
			}
			if strings.Contains(fmt.Sprint(err, p.Detail), "hunter2") {
				t.Errorf("the error holds a password: %v", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// TestRedirects follows to another host, without the password, but not from
// https to http.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var seen atomic.Value
	plain, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Get("Authorization") + r.Header.Get("Referer"))
		_, _ = w.Write([]byte("hello"))
	})
	plain = strings.Replace(plain, "127.0.0.1", "localhost", 1)
	redirect := func(w http.ResponseWriter, r *http.Request) {
		if user, _, _ := r.BasicAuth(); user != "me" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, plain, http.StatusFound)
	}
	from, client := serve(t, redirect)
	withUser := func(address string) string { return strings.Replace(address, "://", "://me:hunter2@", 1) }
	if _, err := (HTTP{Client: client}).Fetch(t.Context(), withUser(from)+"/x", nil, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if text := seen.Load().(string); strings.Contains(text, "hunter2") || strings.HasPrefix(text, "Basic") {
		t.Errorf("the other host was told %q", text)
	}
	secure := httptest.NewTLSServer(http.HandlerFunc(redirect))
	defer secure.Close()
	_, err := HTTP{Client: secure.Client()}.Fetch(t.Context(), withUser(secure.URL)+"/x", nil, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "ADD of a URL did not work") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a redirect to http gave %v", err)
	}
}

// TestUnknownCertificate is no error that goes away by trying.
func TestUnknownCertificate(t *testing.T) {
	t.Parallel()
	tries := atomic.Int32{}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	transport := &http.Transport{}
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		tries.Add(1)
		return transport.RoundTrip(r)
	})}
	_, err := HTTP{Client: client}.Fetch(t.Context(), secure.URL+"/x", nil, t.TempDir())
	if err == nil || errors.Is(err, fs.ErrNotExist) || tries.Load() != 1 {
		t.Errorf("Fetch() = %v after %d tries, want an error after one", err, tries.Load())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
