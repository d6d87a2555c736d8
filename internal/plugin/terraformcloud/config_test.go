package terraformcloud_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
)

// TestPrecedence sends one request with every way to say where and with which
// token to read.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	const inFile = "token = \"file\"\nbase_url = \"https://file.test/some/path\""
	for name, c := range map[string]struct {
		settings    string
		environment map[string]string
		host, token string
	}{
		"file":                {settings: inFile, host: "file.test", token: "file"},
		"default address":     {settings: `token = "file"`, host: "app.terraform.io", token: "file"},
		"token variable":      {settings: inFile, environment: map[string]string{"TFE_TOKEN": " env\n"}, host: "file.test", token: "env"},
		"hostname variable":   {settings: inFile, environment: map[string]string{"TFE_HOSTNAME": "env.test:8443"}, host: "env.test:8443", token: "file"},
		"address as hostname": {settings: inFile, environment: map[string]string{"TFE_HOSTNAME": "https://env.test/"}, host: "env.test", token: "file"},
		"Terraform's variable": {
			environment: map[string]string{"TF_TOKEN_app_terraform_io": "env", "TF_TOKEN_env_test": "another host's"},
			host:        "app.terraform.io", token: "env",
		},
		"Terraform's variable with a dash": {
			settings:    `base_url = "https://My-TFE.test:8443"`,
			environment: map[string]string{"TF_TOKEN_my__tfe_test": "env"},
			host:        "My-TFE.test:8443", token: "env",
		},
		"both variables": {
			environment: map[string]string{"TFE_TOKEN": "general", "TF_TOKEN_app_terraform_io": "of the host"},
			host:        "app.terraform.io", token: "general",
		},
		"without effect": {settings: inFile + "\nrefresh_interval = \"10m\"\nskip_verify = false", host: "file.test", token: "file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var request *http.Request
			s, err := open(t, roundTrip(func(r *http.Request) (*http.Response, error) {
				request = r
				refusal := httptest.NewRecorder()
				fail(refusal, http.StatusUnauthorized, "unauthorized", "")
				return refusal.Result(), nil
			}), c.settings, c.environment)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Read(t.Context(), []component.Key{ask("w", "o")}); err == nil {
				t.Error("Read = nil error, want one for status 401")
			}
			if request.URL.Host != c.host || request.Header.Get("Authorization") != "Bearer "+c.token {
				t.Errorf("request to %q with %q, want %q with the token %q", request.URL.Host, request.Header.Get("Authorization"), c.host, c.token)
			}
			if request.URL.Path != "/api/v2/organizations/acme/workspaces/w" {
				t.Errorf("request for %q", request.URL.Path)
			}
		})
	}
}

func TestOpenProblems(t *testing.T) {
	t.Parallel()
	const invalid = "Invalid address of Terraform Cloud"
	for name, c := range map[string]struct {
		settings, hostname string
		summary, attr      string
		says               []string
	}{
		"no token": {
			settings: `base_url = "https://tfe.my-company.test"`, summary: "No token for Terraform Cloud",
			says: []string{"tfe.my-company.test", `"tfc-token"`, "TFE_TOKEN", "TF_TOKEN_tfe_my__company_test", `"token"`},
		},
		"no URL":      {settings: `base_url = "tfe.test"`, summary: invalid, attr: "base_url", says: []string{`"base_url" of the source`, "https://"}},
		"other URL":   {settings: `base_url = "ftp://tfe.test"`, summary: invalid, attr: "base_url"},
		"no host":     {settings: `base_url = "https:///api"`, summary: invalid, attr: "base_url"},
		"password":    {settings: `base_url = "https://user:hunter2@tfe.test"`, summary: invalid, attr: "base_url"},
		"bad escape":  {settings: `base_url = "https://user:hunter2@tfe%zz.test"`, summary: invalid, attr: "base_url"},
		"no hostname": {hostname: "a b", summary: invalid, says: []string{"TFE_HOSTNAME in the environment"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, &fake{t: t}, c.settings, map[string]string{"TFE_HOSTNAME": c.hostname})
			checkProblem(t, err, c.summary, c.attr, c.says...)
		})
	}
}
