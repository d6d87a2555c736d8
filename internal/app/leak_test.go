package app_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/builtin"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// The secrets of the test, as a Vault keeps them.
var (
	vaultPassword = "hunter2-in-the-vault"
	vaultPEM      = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n"
	vaultDocument = `{"user": "document-user-name", "nested": {"pass": "document-pass-word"}}`
	givenToken    = "given-by-the-environment"
)

// leakFile is a waypoint.hcl that puts secrets everywhere: into settings,
// templates, hooks, labels of a platform, and the errors of two apps.
const leakFile = `
project = "shop"

variable "password" {
  type    = string
  default = dynamic("vault", { path = "secret/data/web", key = "data/password" })
}
variable "key" {
  type    = string
  default = dynamic("vault", { path = "secret/data/web", key = "data/key" })
}
variable "document" {
  type    = object({ user = string, nested = map(string) })
  default = dynamic("vault", { path = "secret/data/web", key = "data/document" })
}
variable "token" {
  type      = string
  sensitive = true
}
config {
  env = {
    URL  = "postgres://app:${var.password}@db/${var.document.nested.pass}"
    USER = var.document.user
    B64  = base64encode(var.password)
    JSON = jsonencode({ key = var.key, token = var.token })
    HEAD = substr(var.key, 0, 60)
  }
  file = {
    "key.pem"  = var.key
    "app.conf" = templatestring("pass = $${pass}\n%%%%{ for line in split(\"\\n\", key) }$${line}\n%%%%{ endfor }", { pass = var.password, key = var.key })
    "file"     = file(templatefile("${path.project}/app.tpl", { token = var.token }))
  }
}
app "web" {
  build {
    use "null" {}
    hook {
      when    = "before"
      command = ["sh", "-c", "echo hook has '${var.password}' and '${var.token}'"]
    }
  }
  deploy {
    use "leaky" {
      text = "in the block: ${var.password}"
      fail = %q
    }
    hook {
      when    = "after"
      command = ["sh", "-c", "echo '${var.document.user}'; cat %s; false"]
    }
  }
}
`

// leaky is a platform that shows what it is given wherever it can.
var leaky = component.Plugin{Name: "leaky", Platform: component.NewPlatform(
	func(h component.Host, c leakyConfig) (component.Platform[artifact.None, leakyDeployment], error) {
		return &leakyPlatform{host: h, config: c}, nil
	})}

type leakyConfig struct {
	Text string `hcl:"text"`
	Fail string `hcl:"fail"`
}

// leakyDeployment keeps a secret, which no deployment may.
type leakyDeployment struct{ Note string }

func (d leakyDeployment) Vars() map[string]cty.Value {
	return map[string]cty.Value{"note": cty.StringVal(d.Note)}
}
func (leakyDeployment) URL() string        { return "" }
func (leakyDeployment) Generation() string { return "" }

type leakyPlatform struct {
	component.Unsupported[leakyDeployment]
	host   component.Host
	config leakyConfig
}

// everything is all that the platform was given, in every form.
func (p *leakyPlatform) everything(in component.DeployInput) string {
	var all strings.Builder
	all.WriteString(p.config.Text + "\n")
	for _, settings := range []map[string]component.Setting{in.Env, in.Files} {
		for name, s := range settings {
			text := s.Text.Reveal()
			quoted, _ := json.Marshal(text)
			fmt.Fprintf(&all, "%s=%s\n%s\n%s\n%s\n", name, text, quoted, url.QueryEscape(text), base64.StdEncoding.EncodeToString([]byte(text)))
		}
	}
	return all.String()
}

func (p *leakyPlatform) Plan(_ context.Context, req component.DeployRequest[artifact.None]) (component.Plan, error) {
	all := p.everything(req.DeployInput)
	return component.Plan{Changes: []component.Change{{Action: component.Create, Subject: "app", Reason: all, Diff: "+" + all}}}, nil
}

func (p *leakyPlatform) Deploy(ctx context.Context, req component.DeployRequest[artifact.None]) (leakyDeployment, error) {
	all := p.everything(req.DeployInput)
	p.host.Log.Info(all)
	err := p.host.Progress.Step(ctx, "Deploying "+all, func(_ context.Context, s component.Step) error {
		s.Update("%s", all)
		_, err := io.WriteString(s.Output(), all)
		return err
	})
	if p.config.Fail != "" {
		err = &diag.Problem{Summary: "No room for " + all, Detail: "It is " + all, Attr: "text", Err: fmt.Errorf("for %s", all)}
	}
	return leakyDeployment{Note: all}, err
}

func (p *leakyPlatform) Status(context.Context, component.Target[leakyDeployment]) (component.Health, error) {
	return component.Health{State: component.Ready, Message: p.config.Text}, nil
}

func (p *leakyPlatform) Destroy(context.Context, component.Target[leakyDeployment]) error { return nil }

// TestSecretsStayInside runs every verb that is given secrets, as a job does,
// and looks for them in each byte that leaves the process.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	vault := http.NewServeMux()
	vault.HandleFunc("GET /v1/secret/data/web", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{
			"data": map[string]any{"password": vaultPassword, "key": vaultPEM, "document": vaultDocument}, "metadata": map[string]any{"version": 1},
		}})
	})
	for _, fails := range []string{"", "yes"} {
		t.Run("fails:"+fails, func(t *testing.T) {
			t.Parallel()
			searchLeaks(t, fails, inMemory{vault}, "https://vault.example.test", "a-given-vault-token")
		})
	}
}

// inMemory is a server behind a transport.
type inMemory struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (s inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := &recordedResponse{header: http.Header{}, status: http.StatusOK}
	s.handler.ServeHTTP(recorder, r)
	return &http.Response{
		StatusCode: recorder.status, Header: recorder.header, Body: io.NopCloser(&recorder.body), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(recorder.body.Len()),
	}, nil
}

// recordedResponse is an [http.ResponseWriter] in memory.
type recordedResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recordedResponse) Header() http.Header         { return r.header }
func (r *recordedResponse) Write(p []byte) (int, error) { return r.body.Write(p) }
func (r *recordedResponse) WriteHeader(status int)      { r.status = status }

// searchLeaks runs the verbs against a Vault and searches what they write.
func searchLeaks(t *testing.T, fails string, vault http.RoundTripper, address, token string) {
	t.Helper()
	j := newJob(t, "")
	pem := filepath.Join(t.TempDir(), "pem")
	files := map[string]string{
		pem: vaultPEM,
		filepath.Join(j.workspace, "waypoint.hcl"): fmt.Sprintf(leakFile, fails, pem),
		filepath.Join(j.workspace, "app.tpl"):      "token = ${token}, password = ${var.password}\n",
	}
	for path, content := range files {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen := &wire{next: j.github, vault: vault, host: strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")}
	var log bytes.Buffer
	run := func(args ...string) int {
		return app.Main(t.Context(), app.Sys{
			Args: append([]string{"deploy-action"}, args...), Dir: j.workspace, Stdin: strings.NewReader(""), Stdout: &log, Stderr: &log,
			HTTP:    &http.Client{Transport: seen},
			Plugins: append([]component.Plugin{leaky}, builtin.Plugins...),
			Environ: append(j.environ(), "VAULT_ADDR="+address, "VAULT_TOKEN="+token, "WP_VAR_token="+givenToken, "RUNNER_DEBUG=1"),
		})
	}
	for _, words := range []string{"validate", "config", "config --json", "plan", "plan --json", "up", "up --json", "status", "rollback --list", "destroy"} {
		status := run(strings.Fields(words)...)
		if status == 2 {
			t.Fatalf("%s: exit status 2, so nothing was tried\n%s", words, log.String())
		}
	}
	if !strings.Contains(log.String(), "::add-mask::"+vaultPassword) {
		t.Error("the password was not masked with the runner")
	}
	exits := map[string][]byte{"log": withoutMasks(log.Bytes()), "requests": seen.sent.Bytes()}
	for _, folder := range []string{j.workspace, j.temp, filepath.Dir(j.output)} {
		addFiles(t, exits, folder)
	}
	delete(exits, filepath.Join(j.workspace, "waypoint.hcl"))
	for name, content := range exits {
		for _, shown := range leaked(content, token) {
			t.Errorf("%s shows %q", name, shown)
		}
	}
}

// withoutMasks removes the lines that tell the runner what to hide.
func withoutMasks(log []byte) []byte {
	var rest []byte
	for line := range bytes.Lines(log) {
		if !bytes.HasPrefix(line, []byte("::add-mask::")) {
			rest = append(rest, line...)
		}
	}
	return rest
}

// leaked returns the secrets that content shows, in any form.
func leaked(content []byte, token string) []string {
	secrets := []string{vaultPassword, givenToken, token, "document-user-name", "document-pass-word"}
	for line := range strings.Lines(vaultPEM) {
		if !strings.Contains(line, "-----") {
			secrets = append(secrets, strings.TrimSpace(line))
		}
	}
	var shown []string
	for _, s := range secrets {
		quoted, _ := json.Marshal(s)
		for _, form := range []string{s, string(quoted[1 : len(quoted)-1]), url.QueryEscape(s), base64.StdEncoding.EncodeToString([]byte(s))[:len(s)/3*4]} {
			if bytes.Contains(content, []byte(form)) {
				shown = append(shown, form)
			}
		}
	}
	return shown
}

// addFiles adds the content of every file below folder, unpacked.
func addFiles(t *testing.T, to map[string][]byte, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		to[path] = unpacked(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unpacked returns content with all that is compressed in it laid open.
func unpacked(content []byte) []byte {
	if archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content))); err == nil {
		for _, file := range archive.File {
			if r, err := file.Open(); err == nil {
				inner, _ := io.ReadAll(r)
				content = append(content, unpacked(inner)...)
			}
		}
	}
	if r, err := gzip.NewReader(bytes.NewReader(content)); err == nil {
		inner, _ := io.ReadAll(r)
		content = append(content, inner...)
	}
	return content
}

// wire sends requests to a Vault and to GitHub, and keeps what GitHub is sent.
type wire struct {
	next, vault http.RoundTripper
	host        string
	sent        bytes.Buffer
}

// RoundTrip implements [http.RoundTripper].
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == w.host {
		return w.vault.RoundTrip(r)
	}
	fmt.Fprintln(&w.sent, r.URL)
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		w.sent.Write(unpacked(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return w.next.RoundTrip(r)
}
