package app_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// newAppKey returns a key of a GitHub App, and its file as GitHub writes it.
func newAppKey(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// A GitHub App acts in place of the job, whose token may do nothing here.
func TestGitHubApp(t *testing.T) {
	t.Parallel()
	key, file := newAppKey(t)
	j := newJob(t, oneApp)
	j.github.AddToken(githubfake.Token{Text: stepToken})
	j.github.AddApp(githubfake.App{ID: "1234", Key: &key.PublicKey, Permissions: allPermissions})
	j.inputs = []string{"INPUT_GITHUB-APP-ID=1234", "INPUT_GITHUB-APP-PRIVATE-KEY=" + file}
	status, log := j.run(t, "deploy-action")
	if status != 0 || len(j.told()) != 2 {
		t.Fatalf("exit status %d after %v\n%s", status, j.told(), log)
	}
	for line := range strings.Lines(file) {
		if line = strings.TrimSpace(line); !strings.Contains(log, "::add-mask::"+line) {
			t.Errorf("a line of the key is not masked: %s", line)
		}
	}
	calls := j.github.Calls()
	last := calls[len(calls)-1]
	if last.Method != http.MethodDelete || last.Path != "/installation/token" || last.Status != http.StatusNoContent {
		t.Errorf("the last request is %+v, want that the token is revoked", last)
	}
	signIns := slices.DeleteFunc(calls, func(c githubfake.Call) bool { return !strings.HasSuffix(c.Path, "/access_tokens") })
	if len(signIns) != 1 {
		t.Errorf("%d tokens were asked for, want 1", len(signIns))
	}
	before := len(j.github.Calls())
	if status, log := j.run(t, "deploy-action-post"); status != 0 || len(j.github.Calls()) != before {
		t.Errorf("the post step ended with %d and asked for %v\n%s", status, j.github.Calls()[before:], log)
	}
}

func TestGitHubAppIsWrong(t *testing.T) {
	t.Parallel()
	_, file := newAppKey(t)
	cases := map[string]struct{ id, key, says string }{
		"no key":     {"1234", "", "The GitHub App has no private key"},
		"no ID":      {"", file, "The GitHub App has no ID"},
		"no PEM":     {"1234", "hunter2hunter2", "give the whole file, with its first and last line"},
		"no such ID": {"99", file, "Check the inputs `github-app-id`"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, oneApp)
			j.inputs = []string{"INPUT_GITHUB-APP-ID=" + c.id, "INPUT_GITHUB-APP-PRIVATE-KEY=" + c.key}
			status, log := j.run(t, "deploy-action")
			if status != 2 || !strings.Contains(log, c.says) {
				t.Errorf("exit status %d, want 2 and %q\n%s", status, c.says, log)
			}
			if _, told, _ := strings.Cut(log, "::add-mask::hunter2hunter2\n"); strings.Contains(told, "hunter2hunter2") {
				t.Errorf("the log shows the key:\n%s", log)
			}
		})
	}
}
