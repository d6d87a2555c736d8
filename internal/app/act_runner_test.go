//go:build servers

package app_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// The secrets of the test's jobs. None of them may be seen anywhere.
const (
	jobToken         = "ghs_thisIsTheTokenOfTheJob0123456789"
	registryPassword = "correct-horse-battery-staple"
)

// longestRun is how long one workflow run may take.
const longestRun = 3 * time.Minute

// runner runs workflows that use the action.
type runner struct {
	program string // act
	engine  *servers.DockerEngine
	action  string // repository of the action, at v1
	images  string // host of a registry that wants no login
}

// project is a user's repository on a GitHub of its own.
type project struct {
	runner   *runner
	folder   string
	network  string                  // of the engine, that jobs are in
	registry *servers.RegistryServer // wants a login
	github   *githubfake.Fake
	server   *httptest.Server
	branch   string // that runs are of; "" for main
	runs     int64
}

// newProject makes a repository with the given files. In these, REGISTRY_HOST
// is the address of the registry. Jobs are in the engine's default network, as
// on a hosted runner.
func newProject(t *testing.T, r *runner, files map[string]string) *project {
	t.Helper()
	github, err := githubfake.New(githubfake.Options{Repository: "acme/shop"})
	if err != nil {
		t.Fatal(err)
	}
	p := &project{
		runner: r, github: github, folder: t.TempDir(), network: "bridge",
		registry: servers.Registry(t, servers.RegistryConfig{Username: "ci", Password: registryPassword}),
		server:   httptest.NewUnstartedServer(github),
	}
	p.server.Listener = r.listen(t)
	p.server.Start()
	t.Cleanup(p.server.Close)
	for path, content := range files {
		write(t, filepath.Join(p.folder, path), strings.ReplaceAll(content, "REGISTRY_HOST", p.registry.Host))
	}
	git(t, p.folder, "init", "--quiet", "--initial-branch=main")
	git(t, p.folder, "remote", "add", "origin", "https://github.com/acme/shop")
	t.Cleanup(func() {
		if broken := github.Violations(); len(broken) > 0 {
			t.Errorf("the calls of GitHub break its API description:\n%s", strings.Join(broken, "\n"))
		}
	})
	return p
}

// push commits what is in the folder and runs the workflow for it. The
// function watch, unless it is nil, sees each line of the log as it is written.
func (p *project) push(t *testing.T, watch func(logLine), vars ...string) runLog {
	t.Helper()
	git(t, p.folder, "add", "--all")
	git(t, p.folder, "commit", "--quiet", "--allow-empty", "--message", "change")
	var args []string
	for _, v := range vars {
		args = append(args, "--var", v)
	}
	return p.start(t, watch, "push", args...)
}

// start runs the workflows for an event of the last commit, with further words
// for act.
func (p *project) start(t *testing.T, watch func(logLine), event string, words ...string) runLog {
	t.Helper()
	p.runs++
	return p.attempt(t, 100+p.runs, 1, watch, event, words...)
}

// attempt runs the workflows for an event of the last commit, as one attempt of
// a run.
func (p *project) attempt(t *testing.T, run int64, attempt int, watch func(logLine), event string, words ...string) runLog {
	t.Helper()
	p.github.AddRun(githubfake.Run{ID: run, HeadSHA: p.commit(t), HeadBranch: p.branch, Attempt: attempt, Event: event})
	args := []string{
		event, "-C", p.folder, "--json",
		"-P", "ubuntu-latest=" + servers.Busybox, "--pull=false", "--no-cache-server", "--network", p.network,
		"--action-cache-path", t.TempDir(),
		"--local-repository", "org/deploy-action@v1=" + p.runner.action,
		"--insecure-secrets", // else act masks what we must not write in the first place
		"-s", "GITHUB_TOKEN=" + jobToken, "-s", "REGISTRY_PASSWORD=" + registryPassword,
		"--env", "GITHUB_RUN_ID=" + strconv.FormatInt(run, 10),
		"--env", "GITHUB_RUN_ATTEMPT=" + strconv.Itoa(attempt),
		"--env", "GITHUB_API_URL=" + p.server.URL,
		"--env", "ACTIONS_RESULTS_URL=" + p.server.URL,
		"--env", "ACTIONS_RUNTIME_TOKEN=" + p.github.Token(run, "deploy"),
	}
	log := p.runner.act(t, watch, append(args, words...)...)
	p.refuseSecrets(t, log, p.github.Token(run, "deploy"))
	return log
}

// commit returns the hash of the last commit.
func (p *project) commit(t *testing.T) string {
	t.Helper()
	return git(t, p.folder, "rev-parse", "HEAD")
}

// listen listens where this machine and the containers of the engine's default
// network can connect to.
func (r *runner) listen(t *testing.T) net.Listener {
	t.Helper()
	bridge, err := r.engine.Client.NetworkInspect(t.Context(), "bridge", client.NetworkInspectOptions{})
	if err != nil || len(bridge.Network.IPAM.Config) == 0 {
		t.Fatalf("looking for the engine's default network: %v", err)
	}
	// An engine that made the network itself takes its first address, and does not say so.
	addresses := bridge.Network.IPAM.Config[0]
	gateway := cmp.Or(addresses.Gateway, addresses.Subnet.Masked().Addr().Next())
	listener, err := net.Listen("tcp", netip.AddrPortFrom(gateway, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// act runs act and reads its log.
func (r *runner) act(t *testing.T, watch func(logLine), args ...string) runLog {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longestRun)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.program, args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+r.engine.Host, "HOME="+t.TempDir())
	cmd.WaitDelay = time.Second
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log runLog
	for decoder := json.NewDecoder(out); ; {
		var line logLine
		err := decoder.Decode(&line)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("reading the log of act: %v", err)
		}
		log.lines = append(log.lines, line)
		if watch != nil {
			watch(line)
		}
	}
	log.err = cmd.Wait()
	log.took = time.Since(began)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of act:\n%s%s", log, problems.String())
		}
	})
	return log
}

// logLine is one line of act's log.
type logLine struct {
	Text   string   `json:"msg"`
	Output bool     `json:"raw_output"` // a step wrote it
	Step   []string `json:"stepID"`     // of the step that it is about
	Stage  string   `json:"stage"`      // Main or Post
	Result string   `json:"stepResult"` // of the step that ended

	Command    string            `json:"command"` // a workflow command, or a file that takes the place of one
	Argument   string            `json:"arg"`
	Properties map[string]string `json:"kvPairs"`
	Content    string            `json:"content"` // of a summary
}

// about reports whether the line is about a stage of a step.
func (l logLine) about(step, stage string) bool {
	return slices.Contains(l.Step, step) && l.Stage == stage
}

// runLog is what act told of one run.
type runLog struct {
	lines []logLine
	err   error
	took  time.Duration
}

// String returns the log for people.
func (l runLog) String() string {
	var b strings.Builder
	for _, line := range l.lines {
		fmt.Fprintf(&b, "%-4s %-8s | %s\n", line.Stage, strings.Join(line.Step, "/"), line.Text)
	}
	return b.String()
}

// printed returns what a stage of a step wrote.
func (l runLog) printed(step, stage string) string {
	var b strings.Builder
	for _, line := range l.lines {
		if line.Output && line.about(step, stage) {
			b.WriteString(strings.TrimSuffix(line.Text, "\n") + "\n")
		}
	}
	return b.String()
}

// commands returns the workflow commands of one name that the action gave.
func (l runLog) commands(name string) []logLine {
	var given []logLine
	for _, line := range l.lines {
		if line.Command == name && line.about("deploy", "Main") {
			given = append(given, line)
		}
	}
	return given
}

// summary returns the page that the action wrote.
func (l runLog) summary() string {
	var b strings.Builder
	for _, line := range l.commands("summary") {
		b.WriteString(line.Content)
	}
	return b.String()
}

// exit returns the exit status of the action's main step.
func (l runLog) exit() string {
	for _, line := range l.lines {
		if _, status, ok := strings.Cut(line.Text, "exit with `FAILURE`: "); ok && line.about("deploy", "Main") {
			return status
		}
	}
	return "0"
}

// result returns how a stage of the action ended.
func (l runLog) result(stage string) string {
	for _, line := range l.lines {
		if line.Result != "" && line.about("deploy", stage) {
			return line.Result
		}
	}
	return "not run"
}

// refuseSecrets fails the test where a secret can be seen. The lines that mask
// one cannot do without it.
func (p *project) refuseSecrets(t *testing.T, log runLog, runtimeToken string) {
	t.Helper()
	seen := map[string]string{}
	for i, line := range log.lines {
		if line.Command != "add-mask" {
			seen[fmt.Sprintf("line %d of the log", i)] = line.Text + line.Argument + line.Content + fmt.Sprint(line.Properties)
		}
	}
	for _, s := range p.github.Statuses() {
		seen["a commit status"] += fmt.Sprint(s)
	}
	for _, a := range p.github.Artifacts() {
		raw := p.uploaded(t, a)
		if strings.HasPrefix(a.Name, "deploy-action.") {
			var err error
			if raw, err = json.Marshal(p.records(t, a)); err != nil {
				t.Fatal(err)
			}
		}
		seen[fmt.Sprintf("artifact %q of run %d", a.Name, a.Run)] = string(raw)
	}
	for place, text := range seen {
		for _, secret := range []string{jobToken, registryPassword, runtimeToken} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows the secret %q:\n%s", place, secret, text)
			}
		}
	}
}

// records returns the records in a state artifact, newest first.
func (p *project) records(t *testing.T, a githubfake.Artifact) []state.Record {
	t.Helper()
	_, records, err := state.Decode(bytes.NewReader(p.uploaded(t, a)))
	if err != nil {
		t.Fatalf("artifact %q: %v", a.Name, err)
	}
	return records
}

// uploaded returns the one file of an artifact.
func (p *project) uploaded(t *testing.T, a githubfake.Artifact) []byte {
	t.Helper()
	content := p.github.Content(a.ID)
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil || len(archive.File) != 1 {
		t.Fatalf("artifact %q is no zip file with one file in it: %v", a.Name, err)
	}
	file, err := archive.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	raw, err := io.ReadAll(file)
	if err != nil {
		t.Fatalf("artifact %q: %v", a.Name, err)
	}
	return raw
}

// state returns the records of an app in the artifact that the last run made.
func (p *project) state(t *testing.T, app string) []state.Record {
	t.Helper()
	name := "deploy-action.shop." + app + ".default"
	for _, a := range slices.Backward(p.github.Artifacts()) {
		if a.Name == name && a.Run == 100+p.runs {
			return p.records(t, a)
		}
	}
	t.Errorf("run %d has no artifact %q", 100+p.runs, name)
	return nil
}

// told returns the commit statuses of the last commit, oldest first, each as
// "context: state".
func (p *project) told(t *testing.T) []string {
	t.Helper()
	var told []string
	for _, s := range p.github.Statuses() {
		if s.SHA == p.commit(t) {
			told = append(told, s.Context+": "+s.State)
		}
	}
	return told
}

// uploads returns how many artifacts the last run began to upload.
func (p *project) uploads() int {
	count := 0
	for _, c := range p.github.Calls() {
		if strings.HasSuffix(c.Path, "/CreateArtifact") {
			count++
		}
	}
	return count
}

// deploys returns the deploy records among records, by sequence.
func deploys(records []state.Record) []state.Record {
	found := slices.DeleteFunc(slices.Clone(records), func(r state.Record) bool { return r.Operation != "deploy" })
	slices.SortFunc(found, func(a, b state.Record) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return found
}
