package vault_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/vault"
	"github.com/deploy-action/deploy-action/internal/secret"
)

const (
	addr     = "addr = \"https://vault.test\"\n"
	oidc     = addr + "auth \"github-oidc\" {\n  role = \"deploy\"\n}\n"
	jwtClaim = `{"sub":"repo:o/r:environment:prod","aud":"https://github.com/o","repository":"o/r","environment":"prod","ref":"refs/heads/main","jti":"7"}`
)

// jobToken is the job's OIDC token.
var jobToken = secret.Text("eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(jwtClaim)) + ".c2lnbmF0dXJl")

// progress keeps what is shown.
type progress struct{ shown strings.Builder }

func (p *progress) Step(ctx context.Context, title string, fn func(context.Context, component.Step) error) error {
	p.shown.WriteString(title + "\n")
	return fn(ctx, step{p})
}

// rig is a config source with its surroundings.
type rig struct {
	t        *testing.T
	host     component.Host
	env      map[string]string
	progress *progress
	masked   []string
}

// newRig makes the surroundings of a job that reaches a Vault.
func newRig(t *testing.T, transport http.RoundTripper) *rig {
	t.Helper()
	r := &rig{t: t, env: map[string]string{}, progress: &progress{}}
	r.host = component.Host{
		Progress: r.progress,
		Log:      slog.New(slog.DiscardHandler),
		HTTP:     &http.Client{Transport: transport},
		Getenv:   func(name string) string { return r.env[name] },
		Mask:     func(t secret.Text) { r.masked = append(r.masked, t.Reveal()) },
		IDToken: func(_ context.Context, audience string) (secret.Text, error) {
			r.env["asked for audience"] = audience
			return jobToken, nil
		},
	}
	return r
}

// open opens the source with the inside of its block.
func (r *rig) open(body string) (component.Sourcer, error) {
	r.t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(body), "waypoint.hcl")
	if diags.HasErrors() {
		r.t.Fatal(diags)
	}
	source, diags, err := vault.Plugin.Sourcer.Open(r.host, func(into any) hcl.Diagnostics { return gohcl.DecodeBody(file.Body, nil, into) })
	if diags.HasErrors() {
		r.t.Fatal(diags)
	}
	return source, err
}

// must opens the source and closes it when the test ends.
func (r *rig) must(body string) component.Sourcer {
	r.t.Helper()
	source, err := r.open(body)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := source.Close(context.WithoutCancel(r.t.Context())); err != nil {
			r.t.Errorf("Close() = %v", err)
		}
	})
	return source
}

// key asks for a key of a path.
func key(path, name string) component.Key {
	return component.Key{Var: "V", Params: map[string]string{"path": path, "key": name}}
}

// read reads one key: a value, or the error of the key or of them all.
func read(t *testing.T, source component.Sourcer, k component.Key) (string, error) {
	t.Helper()
	readings, err := source.Read(t.Context(), []component.Key{k})
	if err != nil {
		return "", err
	}
	if len(readings) != 1 {
		t.Fatalf("Read() = %d readings, want one", len(readings))
	}
	return readings[0].Text.Reveal(), readings[0].Err
}

// wantProblem checks a problem's summary and what its detail and cause say.
func wantProblem(t *testing.T, err error, summary string, says ...string) {
	t.Helper()
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Summary != summary {
		t.Fatalf("error %v (%T), want the problem %q", err, err, summary)
	}
	whole := problem.Detail
	if problem.Err != nil {
		whole += "\nCause: " + problem.Err.Error()
	}
	if len(whole) > 1000 {
		t.Errorf("the problem %q has %d characters: nobody reads that", summary, len(whole))
	}
	for _, text := range says {
		if !strings.Contains(whole, text) {
			t.Errorf("the problem %q does not say %q:\n%s", summary, text, whole)
		}
	}
	for _, text := range []string{"pa55word", "a-given-token", "a-minted-token", jobToken.Reveal()} {
		if strings.Contains(whole, text) {
			t.Errorf("the problem %q shows a secret, %q:\n%s", summary, text, whole)
		}
	}
}

// step is a step that is shown.
type step struct{ p *progress }

func (s step) Update(format string, args ...any) { fmt.Fprintf(&s.p.shown, "  "+format+"\n", args...) }
func (s step) Output() io.Writer                 { return &s.p.shown }
