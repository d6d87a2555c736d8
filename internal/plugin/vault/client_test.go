package vault_test

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTLS reads from a Vault whose certificate is of an authority of its own.
func TestTLS(t *testing.T) {
	t.Parallel()
	fake := newFake()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		resp, err := fake.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		w.WriteHeader(resp.StatusCode)
		if _, err := io.Copy(w, resp.Body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config, env, value, problem string
	}{
		"authority":                    {config: `ca_cert = "` + authority + `"`},
		"authority by the environment": {config: `ca_cert = "/no/such/file"`, env: "VAULT_CACERT", value: authority},
		"folder of authorities":        {config: `ca_path = "` + filepath.Dir(authority) + `"`},
		"no check":                     {config: `skip_verify = true`},
		"no check by the environment":  {env: "VAULT_SKIP_VERIFY", value: "true"},
		"check by the environment":     {config: `skip_verify = true`, env: "VAULT_SKIP_VERIFY", value: "false", problem: "Certificate of Vault not trusted"},
		"another name":                 {config: "ca_cert = \"" + authority + "\"\ntls_server_name = \"other.test\"", problem: "Certificate of Vault not trusted"},
		"the name":                     {config: "ca_cert = \"" + authority + "\"\ntls_server_name = \"example.com\""},
		"unknown authority":            {problem: "Certificate of Vault not trusted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, &http.Transport{DisableKeepAlives: true})
			r.env["VAULT_TOKEN"], r.env["VAULT_ADDR"], r.env[c.env] = "a-given-token", server.URL, c.value
			got, err := read(t, r.must(c.config), key("kv1/data/web", "password"))
			if c.problem != "" {
				wantProblem(t, err, c.problem, server.URL, "tls_server_name")
				return
			}
			if err != nil || got != "pa55word-of-kv1-data" {
				t.Errorf("Read() = %q, %v", got, err)
			}
		})
	}
}

func TestTLSProblems(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"no such file":  `ca_cert = "/no/such/file"`,
		"key alone":     `client_key = "/no/such/file"`,
		"no such files": "client_key = \"/no/such/file\"\nclient_cert = \"/no/such/file\"",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newRig(t, &http.Transport{}).open(oidc + config)
			wantProblem(t, err, "Unusable TLS settings for Vault", "ca_cert", "client_key")
		})
	}
}

// inChild tells the test below that it is in a process of its own.
const inChild = "VAULT_TEST_IN_CHILD"

// TestEnvironmentOfTheProcess runs in a process whose environment must have no
// effect: what counts comes in through the host.
func TestEnvironmentOfTheProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv(inChild) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = []string{
			inChild + "=1", "VAULT_ADDR=https://elsewhere.test", "VAULT_AGENT_ADDR=https://elsewhere.test", "VAULT_TOKEN=elsewhere",
			"VAULT_NAMESPACE=elsewhere", `VAULT_HEADERS={"X-Elsewhere":"1"}`, "VAULT_WRAP_TTL=60s", "VAULT_RATE_LIMIT=1:1", "VAULT_SKIP_VERIFY=true",
		}
		if output, err := child.CombinedOutput(); err != nil {
			t.Errorf("in a process with an environment: %v\n%s", err, output)
		}
		return
	}
	fake := newFake()
	fake.login = map[string]any{}
	if _, err := read(t, newRig(t, fake).must(oidc), key("kv1/web", "password")); err != nil {
		t.Fatal(err)
	}
	for _, headers := range fake.headers {
		for _, name := range []string{"X-Vault-Namespace", "X-Elsewhere", "X-Vault-Wrap-Ttl"} {
			if headers.Get(name) != "" {
				t.Errorf("%s: %q", name, headers.Get(name))
			}
		}
		if headers.Get("X-Vault-Request") != "true" {
			t.Error("no X-Vault-Request, which agents want")
		}
	}
	if diff := cmp.Diff([]string{"", "a-minted-token-1", "a-minted-token-1"}, tokens(fake)); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

// tokens returns the token of each request.
func tokens(f *fakeVault) []string {
	var all []string
	for _, headers := range f.headers {
		all = append(all, headers.Get("X-Vault-Token"))
	}
	return all
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	fake := newFake()
	fake.login = map[string]any{}
	r := newRig(t, fake)
	r.env["VAULT_NAMESPACE"] = "admin/team"
	if _, err := read(t, r.must(oidc+`namespace = "other"`), key("kv1/web", "password")); err != nil {
		t.Fatal(err)
	}
	for i, headers := range fake.headers {
		if got := headers.Get("X-Vault-Namespace"); got != "admin/team" {
			t.Errorf("request %d is for the namespace %q", i, got)
		}
	}
}
