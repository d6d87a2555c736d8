package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/net/http/httpproxy"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/version"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// machine is Sys with what is worked out from it once.
type machine struct {
	Sys
	getenv func(string) string
	runner *workflow.Runner
	app    *github.App // in place of the job; nil where the job acts itself
	fence  *fence      // that ends a verb; nil for the post step
	ending *ending
	told   told
}

// lookup returns a function that reads environ, the last entry winning.
func lookup(environ []string) func(string) string {
	values := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

// executable is this program again.
func executable(ctx context.Context, args ...string) *exec.Cmd {
	path, err := os.Executable()
	if err != nil {
		path = "/proc/self/exe"
	}
	return exec.CommandContext(ctx, path, args...)
}

// origin says who runs this, from what, and why.
func (m *machine) origin(reason string) state.Origin {
	o := state.Origin{Reason: reason, Version: version.String(), Binary: binaryDigest()}
	if !m.runner.Active() {
		o.Actor = m.actor()
		return o
	}
	c := m.runner.Context()
	o.Commit, o.Ref, o.Event = c.HeadSHA, c.Ref, c.Event
	o.Workflow, o.Run, o.Attempt, o.Job = c.WorkflowRef, c.RunID, c.Attempt, c.Job
	o.Actor, o.TriggeringActor = c.Actor, c.TriggeringActor
	return o
}

// actor names the person at the terminal.
func (m *machine) actor() string {
	if name := m.getenv("USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// binaryDigest is the digest of this program's file, which is read once; ""
// when it cannot be read, which makes a record poorer and nothing worse.
var binaryDigest = sync.OnceValue(readBinaryDigest)

func readBinaryDigest() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return fmt.Sprintf("sha256:%s", hex.EncodeToString(h.Sum(nil)))
}

// client makes the run's one HTTP client.
func (m *machine) client() (*http.Client, error) {
	if m.HTTP != nil {
		return m.HTTP, nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = m.proxy()
	if bundle := m.runner.Input("ca-bundle"); bundle != "" { // Go itself reads SSL_CERT_FILE, when it needs it
		pem, err := os.ReadFile(m.fromDir([]string{bundle})[0])
		if err != nil {
			return nil, invalid("Unreadable CA bundle", err.Error()+". The input `ca-bundle` names a PEM file in the workspace.")
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, invalid("Invalid CA bundle", bundle+" holds no PEM certificate.")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: transport}, nil
}

// proxy returns what chooses the proxy of a request, by the variables of this
// invocation and not of the process.
func (m *machine) proxy() func(*http.Request) (*url.URL, error) {
	either := func(name string) string { return cmp.Or(m.getenv(name), m.getenv(strings.ToLower(name))) }
	choose := (&httpproxy.Config{
		HTTPProxy: either("HTTP_PROXY"), HTTPSProxy: either("HTTPS_PROXY"), NoProxy: either("NO_PROXY"),
	}).ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
}

// fromDir makes paths of the command line absolute.
func (m *machine) fromDir(paths []string) []string {
	absolute := make([]string, len(paths))
	for i, path := range paths {
		if !filepath.IsAbs(path) {
			path = filepath.Join(m.Dir, path)
		}
		absolute[i] = path
	}
	return absolute
}

// dataDir is where plugins keep what survives runs on one machine: beside the
// file on a terminal, and out of the workspace in a job.
func (m *machine) dataDir(project string) string {
	if temp := m.getenv("RUNNER_TEMP"); m.runner.Active() && temp != "" {
		return filepath.Join(temp, "deploy-action")
	}
	return filepath.Join(project, stateFolder)
}

// githubObject is what configuration reads as github.NAME; nil off a runner.
func (m *machine) githubObject() map[string]cty.Value {
	if !m.runner.Active() {
		return nil
	}
	c := m.runner.Context()
	object := map[string]cty.Value{
		"event_name": cty.StringVal(c.Event), "ref": cty.StringVal(c.Ref), "ref_name": cty.StringVal(c.RefName), "ref_type": cty.StringVal(m.getenv("GITHUB_REF_TYPE")),
		"sha": cty.StringVal(c.SHA), "actor": cty.StringVal(c.Actor), "triggering_actor": cty.StringVal(c.TriggeringActor),
		"repository": cty.StringVal(c.Repository), "repository_owner": cty.StringVal(c.Owner),
		"run_id": cty.StringVal(strconv.FormatInt(c.RunID, 10)), "run_number": cty.StringVal(strconv.Itoa(c.RunNumber)),
		"run_attempt": cty.StringVal(strconv.Itoa(c.Attempt)), "job": cty.StringVal(c.Job), "workflow": cty.StringVal(c.Workflow),
		"head_ref": cty.StringVal(c.HeadRef), "base_ref": cty.StringVal(c.BaseRef), "server_url": cty.StringVal(c.ServerURL),
	}
	if pr := c.PullRequest; pr != nil {
		object["pull_request"] = cty.ObjectVal(map[string]cty.Value{
			"number": cty.NumberIntVal(int64(pr.Number)), "head_ref": cty.StringVal(pr.HeadRef), "base_ref": cty.StringVal(pr.BaseRef),
			"head_sha": cty.StringVal(pr.HeadSHA), "draft": cty.BoolVal(pr.Draft),
		})
	}
	return object
}
