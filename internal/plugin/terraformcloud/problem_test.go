package terraformcloud_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// sensitive is a value that no message may show.
const sensitive = "s3cr3t-value"

// roundTrip is a function as an [http.RoundTripper].
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// checkProblem checks that an error is a problem with a summary, at an
// attribute, whose text says certain things and no secret.
func checkProblem(t *testing.T, err error, summary, attr string, says ...string) {
	t.Helper()
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok {
		t.Fatalf("error %v, want the problem %q", err, summary)
	}
	if problem.Summary != summary || problem.Attr != attr {
		t.Errorf("problem %q at %q, want %q at %q", problem.Summary, problem.Attr, summary, attr)
	}
	text := err.Error() + "\n" + problem.Detail
	for _, want := range says {
		if !strings.Contains(text, want) {
			t.Errorf("the problem does not say %q:\n%s", want, text)
		}
	}
	for _, secret := range []string{goodToken, sensitive, "hunter2"} {
		if strings.Contains(text, secret) {
			t.Errorf("the problem shows a secret:\n%s", text)
		}
	}
}

// TestKeyProblems has what concerns one key: the others are answered.
func TestKeyProblems(t *testing.T) {
	t.Parallel()
	params := func(pairs ...string) component.Key {
		key := component.Key{Var: "V", Params: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			key.Params[pairs[i]] = pairs[i+1]
		}
		return key
	}
	for name, c := range map[string]struct {
		key     component.Key
		summary string
		says    []string
	}{
		"misspelt parameter": {
			params("organisation", "acme", "workspace", "w"), "Unknown parameter of a Terraform Cloud value",
			[]string{`"V"`, `"organisation"`, `"organization", "workspace", "output"`, `Did you mean "organization"?`},
		},
		"no organization": {params("workspace", "w"), "Missing parameter of a Terraform Cloud value", []string{`"V"`, "which organization"}},
		"no workspace":    {params("organization", "acme", "workspace", ""), "Missing parameter of a Terraform Cloud value", []string{"which workspace"}},
		"no such organization": {
			params("organization", "acne", "workspace", "w", "output", "o"), "No such workspace in Terraform Cloud",
			[]string{`"w"`, `"acne"`, address, `"token" of the source`, "spelling", "permission to read state outputs"},
		},
		"no such workspace":  {ask("v", "o"), "No such workspace in Terraform Cloud", []string{`"v"`, `"acme"`}},
		"impossible name":    {ask("a/b c", "o"), "No such workspace in Terraform Cloud", []string{`"a/b c"`}},
		"nothing applied":    {ask("new", "o"), "The Terraform workspace has no state yet", []string{`"new"`, `"acme"`, "Apply"}},
		"nothing to list":    {ask("new", ""), "The Terraform workspace has no state yet", []string{`"new"`}},
		"outputs denied":     {ask("closed", "o"), "The outputs of the Terraform workspace cannot be read", []string{`"closed"`, "permission to read state outputs"}},
		"misspelt output":    {ask("w", "database_ulr"), "No such output of the Terraform workspace", []string{`"database_url", "locked", "none", "password"`, `Did you mean "database_url"?`}},
		"workspace is empty": {ask("bare", "o"), "No such output of the Terraform workspace", []string{`"bare"`, "has no outputs"}},
		"null":               {ask("w", "none"), "The Terraform output has no value", []string{`"none"`, `"w"`, `"acme"`}},
		"value denied":       {ask("w", "locked"), "A sensitive output cannot be read", []string{`"locked"`, `"w"`, "permission to read state outputs"}},
		"one value denied":   {ask("w", ""), "A sensitive output cannot be read", []string{`"locked"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{t: t, workspaces: map[string]workspace{
				"w": {outputs: []output{
					{name: "database_url", value: `"u"`},
					{name: "password", value: `"` + sensitive + `"`, sensitive: true},
					{name: "locked", value: `"` + sensitive + `"`, sensitive: true, denied: true},
					{name: "none", value: `null`},
				}},
				"new":    {empty: true},
				"closed": {denied: true},
				"bare":   {},
			}}
			readings, err := mustOpen(t, f).Read(t.Context(), []component.Key{ask("w", "password"), c.key})
			if err != nil || readings[0].Text != sensitive || readings[0].Err != nil {
				t.Errorf("beside the problem there are %v and %v, want the other key's value", err, readings[0].Err)
			}
			checkProblem(t, readings[1].Err, c.summary, "", c.says...)
		})
	}
}

// TestBadToken has a token that the service does not know, from the file and
// from the environment.
func TestBadToken(t *testing.T) {
	t.Parallel()
	const summary = "Terraform Cloud does not accept the token"
	keys := []component.Key{ask("w", "o"), ask("v", "o")}
	s, err := open(t, &fake{t: t}, `token = "hunter2"`, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Read(t.Context(), keys)
	checkProblem(t, err, summary, "token", `"token" of the source`, "expired", address, `"tfc-token"`)

	s, err = open(t, &fake{t: t}, "", map[string]string{"TFE_TOKEN": "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Read(t.Context(), keys)
	checkProblem(t, err, summary, "", "comes from TFE_TOKEN in the environment")
}

// TestServiceProblems has answers that concern every key.
func TestServiceProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		instead func(http.ResponseWriter)
		summary string
		attr    string
		says    []string
	}{
		"forbidden": {
			func(w http.ResponseWriter) { fail(w, http.StatusForbidden, "forbidden", "single sign-on is enforced") },
			"Terraform Cloud refuses access", "",
			[]string{address, "single sign-on is enforced"},
		},
		"web page": {
			func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>") },
			"Unexpected answer of Terraform Cloud", "base_url",
			[]string{address, `"base_url" of the source`},
		},
		"strange status": {
			func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) },
			"Unexpected answer of Terraform Cloud", "base_url",
			[]string{"418"},
		},
	} {
		for _, path := range []string{"/organizations/", "/current-state-version-outputs", "/state-version-outputs/"} {
			t.Run(name+path, func(t *testing.T) {
				t.Parallel()
				f := &fake{t: t, workspaces: map[string]workspace{"w": {outputs: []output{{name: "o", value: `"` + sensitive + `"`, sensitive: true}}}}}
				f.instead = func(w http.ResponseWriter, r *http.Request) bool {
					if strings.Contains(r.URL.Path, path) {
						c.instead(w)
						return true
					}
					return false
				}
				s, err := open(t, f, tokenSetting+`base_url = "https://`+address+`"`, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, err = s.Read(t.Context(), []component.Key{ask("w", "o")})
				checkProblem(t, err, c.summary, c.attr, c.says...)
			})
		}
	}
}

// TestNoWorkspaceInAnswer has a server that answers all with some JSON.
func TestNoWorkspaceInAnswer(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"data": null}`, `[]`} {
		f := &fake{t: t, instead: func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, body)
			return true
		}}
		_, err := mustOpen(t, f).Read(t.Context(), []component.Key{ask("w", "o")})
		checkProblem(t, err, "Unexpected answer of Terraform Cloud", "", "the default")
	}
}

// TestCertificate reads from a service with a certificate of its own.
func TestCertificate(t *testing.T) {
	t.Parallel()
	f := &fake{t: t, workspaces: map[string]workspace{"w": {outputs: []output{{name: "o", value: `"x"`}}}}}
	server := httptest.NewUnstartedServer(f)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it says what the client refuses
	server.StartTLS()
	t.Cleanup(server.Close)
	settings := tokenSetting + "base_url = \"" + server.URL + "\"\n"
	keys := []component.Key{ask("w", "o")}

	s, err := open(t, &http.Transport{}, settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Read(t.Context(), keys)
	checkProblem(t, err, "No trusted connection to Terraform Cloud", "", strings.TrimPrefix(server.URL, "https://"), `"ca-bundle"`, "skip_verify")

	shared := &http.Transport{}
	s, err = open(t, shared, settings+"skip_verify = true", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, keys...); got[0].Text != "x" {
		t.Errorf("with skip_verify Read = %v, want the value", got)
	}
	if shared.TLSClientConfig != nil && shared.TLSClientConfig.InsecureSkipVerify {
		t.Error("skip_verify changes the client of everybody")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("Close = %v", err)
	}
	if _, err := open(t, f, settings+"skip_verify = true", nil); err == nil {
		t.Error("skip_verify is accepted with a client that cannot do it")
	}
}
