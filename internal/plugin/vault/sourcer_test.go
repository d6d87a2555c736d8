package vault_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/vault"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	plugintest.Sourcer(t, plugintest.SourcerCase{
		Plugin: vault.Plugin,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			fake := newFake()
			fake.login = map[string]any{"role": "deploy", "jwt": jobToken.Reveal()}
			return plugintest.World{
				Host:    newRig(t, fake).host,
				Config:  oidc,
				Secrets: []secret.Text{jobToken, "pa55word-of-web", "pa55word-of-db", "pa55word-of-kv1", "a-minted-token-1", "a-minted-token-2"},
				Exists:  fake.used,
			}
		},
		Keys: []component.Key{
			key("secret/data/web", "data/password"), key("database/creds/web", "username"), key("kv1/web", "password"),
			key("database/creds/web", "password"), key("secret/web", "password"),
		},
		Want:    []string{"pa55word-of-web", "u-1", "pa55word-of-kv1", "pa55word-of-db", "pa55word-of-web"},
		Unknown: key("secret/web", "no-such-key"),
	})
}

func TestPathsAndKeys(t *testing.T) {
	t.Parallel()
	const mounts = "GET sys/internal/ui/mounts"
	for name, c := range map[string]struct {
		path, key, want string
		asked           []string
	}{
		"Waypoint's way":            {"secret/data/web", "data/password", "pa55word-of-web", []string{"GET secret/data/web"}},
		"Waypoint's way, pointer":   {"secret/data/web", "/data/password", "pa55word-of-web", []string{"GET secret/data/web"}},
		"path of the API":           {"secret/data/web", "password", "pa55word-of-web", []string{"GET secret/data/web"}},
		"path of the command line":  {"secret/web", "password", "pa55word-of-web", []string{mounts, "GET secret/data/web"}},
		"slashes around":            {"/secret/web/", "/password", "pa55word-of-web", []string{mounts, "GET secret/data/web"}},
		"both ways":                 {"secret/app/web", "data/password", "pa55word-of-app", []string{mounts, "GET secret/data/app/web"}},
		"field named data":          {"secret/web", "data", "a field named data", []string{mounts, "GET secret/data/web"}},
		"metadata":                  {"secret/data/web", "metadata/version", "1", []string{"GET secret/data/web"}},
		"path of the API, not data": {"secret/metadata/web", "custom_metadata/owner", "me", []string{mounts, "GET secret/data/metadata/web", "GET secret/metadata/web"}},
		"version 1":                 {"kv1/web", "password", "pa55word-of-kv1", []string{mounts, "GET kv1/web"}},
		"version 1, below data/":    {"kv1/data/web", "password", "pa55word-of-kv1-data", []string{"GET kv1/data/web"}},
		"another engine":            {"database/creds/web", "username", "u-1", []string{mounts, "GET database/creds/web"}},
		"number":                    {"secret/web", "n", "12345678901234567890", []string{mounts, "GET secret/data/web"}},
		"boolean":                   {"secret/web", "on", "true", []string{mounts, "GET secret/data/web"}},
		"list":                      {"secret/web", "list", `["a&b",{"c/d":"deep"}]`, []string{mounts, "GET secret/data/web"}},
		"pointer into a list":       {"secret/web", "/list/1/c~1d", "deep", []string{mounts, "GET secret/data/web"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			r := newRig(t, fake)
			r.env["VAULT_TOKEN"] = "a-given-token"
			got, err := read(t, r.must(addr), key(c.path, c.key))
			if err != nil || got != c.want {
				t.Errorf("Read(%q, %q) = %q, %v, want %q", c.path, c.key, got, err, c.want)
			}
			if diff := cmp.Diff(c.asked, fake.asked()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMountsNotListed reads where Vault does not say which engines it has.
func TestMountsNotListed(t *testing.T) {
	t.Parallel()
	fake := newFake()
	fake.denied = []string{"sys/internal/ui/mounts", "secret/web"}
	r := newRig(t, fake)
	r.env["VAULT_TOKEN"] = "a-given-token"
	source := r.must(addr)
	for path, want := range map[string]string{"secret/web": "pa55word-of-web", "kv1/web": "pa55word-of-kv1"} {
		if got, err := read(t, source, key(path, "password")); err != nil || got != want {
			t.Errorf("Read(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
}

func TestOneReadForOnePath(t *testing.T) {
	t.Parallel()
	fake := newFake()
	r := newRig(t, fake)
	r.env["VAULT_TOKEN"] = "a-given-token"
	source := r.must(addr)
	keys := []component.Key{key("database/creds/web", "username"), key("database/creds/web", "password"), key("/database/creds/web", "password"), key("kv1/web", "password")}
	for _, more := range []string{"kv1/web", "secret/web"} {
		if _, err := source.Read(t.Context(), append(keys, key(more, "password"))); err != nil {
			t.Fatal(err)
		}
	}
	got := fake.asked()
	slices.Sort(got)
	if diff := cmp.Diff([]string{"GET database/creds/web", "GET kv1/web", "GET secret/data/web", "GET sys/internal/ui/mounts"}, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestEndOfTheRun says what is revoked by Close, and what a user sees of it.
func TestEndOfTheRun(t *testing.T) {
	t.Parallel()
	const revoked = "PUT auth/token/revoke-self"
	for name, c := range map[string]struct {
		config, token, path string
		auth                map[string]any
		want                []string
		shown               string
	}{
		"signed in":                     {config: oidc, path: "kv1/web", want: []string{revoked}},
		"signed in, leases":             {config: oidc, path: "database/creds/web", want: []string{revoked}, shown: "database/creds/web; keep_leases = true would leave it"},
		"signed in, leases kept":        {config: oidc + "keep_leases = true\n", path: "database/creds/web"},
		"signed in, no leases to keep":  {config: oidc + "keep_leases = true\n", path: "kv1/web", want: []string{revoked}},
		"batch token":                   {config: oidc, path: "kv1/web", auth: map[string]any{"client_token": "hvb.AAAA", "renewable": false}},
		"given token":                   {config: addr, token: "a-given-token", path: "database/creds/web"},
		"given token, nothing was read": {config: addr, token: "a-given-token"},
		"nothing was read":              {config: oidc},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			fake.login, fake.auth = map[string]any{}, c.auth
			fake.tokens["hvb.AAAA"] = false
			r := newRig(t, fake)
			r.env["VAULT_TOKEN"] = c.token
			source := r.must(c.config)
			if c.path != "" {
				if _, err := read(t, source, key(c.path, "password")); err != nil {
					t.Fatal(err)
				}
			}
			fake.asked()
			for range 2 { // the second time does nothing
				if err := source.Close(t.Context()); err != nil {
					t.Fatalf("Close() = %v", err)
				}
			}
			if diff := cmp.Diff(c.want, fake.asked()); diff != "" {
				t.Errorf("requests of Close (-want +got):\n%s", diff)
			}
			if shown := r.progress.shown.String(); !strings.Contains(shown, c.shown) {
				t.Errorf("shown: %q, want %q in it", shown, c.shown)
			}
			if minted := c.config != addr && c.path != ""; minted != (len(r.masked) == 1) {
				t.Errorf("masked: %d texts, of a token that was minted: %t", len(r.masked), minted)
			}
		})
	}
}

// TestTokenIsRevokedAfterACut cuts a run off between the sign-in and the first
// read.
func TestTokenIsRevokedAfterACut(t *testing.T) {
	t.Parallel()
	fake := newFake()
	fake.login = map[string]any{}
	source := newRig(t, fake).must(oidc)
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	fake.override = signedInThen(func() { cancel(stopped) })
	if _, err := source.Read(ctx, []component.Key{key("kv1/web", "password")}); err != stopped {
		t.Fatalf("Read() = %v, want the cause of the end", err)
	}
	if err := source.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tokens := slices.Collect(maps.Keys(fake.tokens)); len(tokens) != 1 {
		t.Errorf("good tokens: %q, want only the given one", tokens)
	}
}

func TestRenewals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.login = map[string]any{}
		source := newRig(t, fake).must(oidc)
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := source.Read(ctx, []component.Key{key("database/creds/web", "password")}); err != nil {
			t.Fatal(err)
		}
		cancel() // the operation is over, the run is not
		fake.asked()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		got := fake.asked()
		slices.Sort(got)
		// Sixty seconds each, renewed after forty.
		want := []string{
			"PUT auth/token/renew-self", "PUT auth/token/renew-self", "PUT auth/token/renew-self",
			"PUT sys/leases/renew", "PUT sys/leases/renew", "PUT sys/leases/renew",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("requests in two minutes (-want +got):\n%s", diff)
		}
		if lease := fake.sent("sys/leases/renew")["lease_id"]; lease != "database/creds/web/1" {
			t.Errorf("renewed the lease %v", lease)
		}
	})
}

// TestRenewalsGoOnAfterAFailure renews as long as there is time left.
func TestRenewalsGoOnAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.login = map[string]any{}
		source := newRig(t, fake).must(oidc)
		if _, err := read(t, source, key("kv1/web", "password")); err != nil {
			t.Fatal(err)
		}
		fake.asked()
		fake.cut(errors.New("no route to host"))
		time.Sleep(59 * time.Second) // renewals are tried at 40 s, 53 s and 58 s
		synctest.Wait()
		fake.cut(nil)
		if got := fake.asked(); len(got) < 3 {
			t.Errorf("requests: %q, want at least 3 tries", got)
		}
	})
}

// TestCloseWaitsForRenewals closes the source while a renewal is under way.
func TestCloseWaitsForRenewals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.login = map[string]any{}
		slow := &slowRenewal{fakeVault: fake}
		source := newRig(t, slow).must(oidc)
		if _, err := read(t, source, key("kv1/web", "password")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(41 * time.Second)
		if err := source.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slow.begun || !slow.ended {
			t.Errorf("a renewal: begun %v, ended %v, want both before Close returns", slow.begun, slow.ended)
		}
	})
}

// slowRenewal answers no renewal, and takes a second to stop.
type slowRenewal struct {
	*fakeVault
	begun, ended bool
}

func (s *slowRenewal) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, "/renew-self") {
		return s.fakeVault.RoundTrip(req)
	}
	s.begun = true
	<-req.Context().Done()
	time.Sleep(time.Second)
	s.ended = true
	return nil, context.Cause(req.Context())
}

// signedInThen lets the login through and calls fn at the next request, which
// is not answered.
func signedInThen(fn func()) func(*http.Request) (int, string) {
	return func(req *http.Request) (int, string) {
		if strings.HasSuffix(req.URL.Path, "/revoke-self") || strings.HasSuffix(req.URL.Path, "/login") {
			return 0, ""
		}
		fn()
		return http.StatusServiceUnavailable, "{}"
	}
}
