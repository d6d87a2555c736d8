package app_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/dirstore"
)

const (
	// runLimit is what a run may take that was told to end. A runner gives ten
	// seconds; some more are for a busy machine, and for the work before.
	runLimit = 20 * time.Second

	// settleLimit is what processes may take to end that nobody waits for.
	settleLimit = 20 * time.Second

	settlePoll = 20 * time.Millisecond
)

// site is a project in a folder of its own, with one app that docker builds and
// local runs. Its program runs as a process, so that it can be killed.
type site struct {
	t    *testing.T
	dir  string
	load *load // since something was released; nil before
}

const siteConfig = `project = "shop"

app "web" {
  build {
    use "docker" {}
  }
  deploy {
    use "local" {
      health_path = "/"
    }
  }
}
`

// newSite makes a site of which nothing is deployed. Its processes end with the
// test.
func newSite(t *testing.T) *site {
	t.Helper()
	hello, err := buildHello()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir()}
	if err := os.Link(hello, filepath.Join(s.dir, "hello")); err != nil {
		t.Fatal(err)
	}
	s.write("waypoint.hcl", siteConfig)
	// The argument makes the app's processes known as this site's.
	s.write("Dockerfile", "FROM scratch\nCOPY hello /hello\nENTRYPOINT [\"/hello\", \""+s.dir+"\"]\n")
	t.Cleanup(func() {
		if s.load != nil {
			s.load.stop()
		}
		killBelow(t, s.dir)
	})
	return s
}

func (s *site) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// command is the program in the site's folder.
func (s *site) command(ctx context.Context, environ []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Args[0] = "deploy-action"
	cmd.Dir = s.dir
	cmd.Env = append([]string{"HOME=" + s.dir, "USER=tester", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.dir}, environ...)
	return cmd
}

// run runs the program to its end.
func (s *site) run(environ []string, args ...string) (status int, output string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), runLimit)
	defer cancel()
	out, err := s.command(ctx, environ, args...).CombinedOutput()
	return s.outcome(ctx, args, out, err)
}

// outcome is how a run ended that was given ctx, or the end of the test.
func (s *site) outcome(ctx context.Context, args []string, out []byte, err error) (status int, output string) {
	s.t.Helper()
	if ctx.Err() != nil {
		s.t.Fatalf("%v did not end within %v:\n%s", args, runLimit, out)
	}
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return 0, string(out)
}

// succeeds runs the program, which must succeed, and returns its output.
func (s *site) succeeds(args ...string) string {
	s.t.Helper()
	status, output := s.run(nil, args...)
	if status != 0 {
		s.t.Fatalf("%v: exit status %d\n%s", args, status, output)
	}
	return output
}

// steadyUp brings the site to where each up does the same, prune included, and
// returns the lines that it prints. From then on the front is asked all the
// time.
func (s *site) steadyUp() []string {
	s.t.Helper()
	output := s.succeeds("up")
	s.load = newLoad(urlOf(s.t, output), 1, 10*time.Millisecond)
	s.succeeds("up")
	return strings.Split(strings.TrimSpace(s.succeeds("up")), "\n")
}

// urlOf returns the URL that the output of up names.
func urlOf(t *testing.T, output string) string {
	t.Helper()
	for line := range strings.Lines(output) {
		if url, ok := strings.CutPrefix(strings.TrimSpace(line), "web: http"); ok {
			return "http" + url
		}
	}
	t.Fatalf("no URL in:\n%s", output)
	return ""
}

// records returns what the state holds, by ID.
func (s *site) records() map[string]state.Record {
	s.t.Helper()
	store, err := dirstore.Open(filepath.Join(s.dir, ".deploy-action"), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer store.Close()
	records := map[string]state.Record{}
	for r, err := range store.List(s.t.Context(), state.Query{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		records[r.ID] = r
	}
	return records
}

// heals checks what a run left that was cut short, and that the next up ends
// with one healthy release.
func (s *site) heals(before map[string]state.Record, what string) {
	s.t.Helper()
	s.checkRecords(before, what)
	s.checkProcesses(what)
	after := s.records()
	s.succeeds("up")
	s.checkRecords(after, what+", then up")
	s.checkStanding(what + ", then up")
	s.checkProcesses(what + ", then up")
	if s.load != nil {
		s.load.check(s.t, what)
	}
}

// destroy removes everything and checks that nothing is left.
func (s *site) destroy() {
	s.t.Helper()
	if s.load != nil {
		s.load.stop()
	}
	s.succeeds("destroy")
	if left := s.deployments(); len(left) > 0 {
		s.t.Errorf("after destroy there are deployments: %v", left)
	}
	s.settles("after destroy", func() string {
		if left := s.processes(); len(left) > 0 {
			return "there are processes: " + strings.Join(left, "\n")
		}
		return ""
	})
}

// checkRecords checks that no record is gone or went back, and that sequences
// go on without a gap.
func (s *site) checkRecords(before map[string]state.Record, what string) {
	s.t.Helper()
	after := s.records()
	for id, old := range before {
		now, ok := after[id]
		if !ok {
			s.t.Errorf("%s: the record of %s %d is lost", what, old.Operation, old.Sequence)
		}
		if best := state.Merge([]state.Record{old}, []state.Record{now}); ok && best[0].Status != now.Status {
			s.t.Errorf("%s: the record of %s %d went from %s to %s", what, old.Operation, old.Sequence, old.Status, now.Status)
		}
	}
	sequences := map[string][]int{}
	for _, r := range after {
		sequences[r.Operation] = append(sequences[r.Operation], r.Sequence)
	}
	for operation, got := range sequences {
		slices.Sort(got)
		for i, sequence := range got {
			if sequence != i+1 {
				s.t.Errorf("%s: the sequences of %s are %v, want 1 to %d", what, operation, got, len(got))
				break
			}
		}
	}
}

// live returns the records of deployments that may exist, by their ID.
func (s *site) live() map[string]state.Record {
	live := map[string]state.Record{}
	for _, r := range s.records() {
		if r.Operation == "deploy" && r.Status != state.Destroyed {
			live[r.Deployment] = r
		}
	}
	return live
}

// deployments returns the IDs that exist on the platform.
func (s *site) deployments() []string {
	s.t.Helper()
	cards, err := filepath.Glob(filepath.Join(s.dir, ".deploy-action/plugins/local/shop/default/web/*/deployment.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	ids := make([]string, len(cards))
	for i, card := range cards {
		ids[i] = filepath.Base(filepath.Dir(card))
	}
	return ids
}

// checkStanding checks that one deployment is released and ready, and at most
// one more is kept.
func (s *site) checkStanding(what string) {
	s.t.Helper()
	var rows []struct {
		Status, Health string
		Released       bool
		Deployment     string `json:"deployment_id"`
	}
	var stdout, stderr bytes.Buffer
	cmd := s.command(s.t.Context(), nil, "status", "--json")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%s: status: %v\n%s", what, err, &stderr)
	}
	if err := json.Unmarshal(stdout.Bytes(), &rows); err != nil {
		s.t.Fatalf("%s: status printed %q: %v", what, &stdout, err)
	}
	released := 0
	for _, row := range rows {
		if row.Status != "succeeded" || row.Health != "ready" {
			s.t.Errorf("%s: deployment %s is %s and %s, want it succeeded and ready", what, row.Deployment, row.Status, row.Health)
		}
		if row.Released {
			released++
		}
	}
	if released != 1 || len(rows) > 2 {
		s.t.Errorf("%s: %d deployments, %d of them released; want one released and at most one more:\n%s", what, len(rows), released, &stdout)
	}
	ids := slices.Sorted(maps.Keys(s.live()))
	if exist := s.deployments(); !slices.Equal(ids, exist) {
		s.t.Errorf("%s: the platform has %v, the records name %v", what, exist, ids)
	}
}

// checkProcesses checks that a record names what exists: every deployment on
// the platform, and every process, which has a supervisor or is one.
func (s *site) checkProcesses(what string) {
	s.t.Helper()
	live := s.live()
	for _, id := range s.deployments() {
		if _, ok := live[id]; !ok {
			s.t.Errorf("%s: no record names deployment %s, which exists", what, id)
		}
	}
	s.settles(what, func() string {
		supervisors, apps, fronts := 0, 0, 0
		for _, command := range s.processes() {
			switch words := strings.Fields(command); {
			case strings.HasPrefix(command, "/hello "):
				apps++
			case slices.Contains(words, "front"):
				fronts++
			case slices.Contains(words, "supervise"):
				supervisors++
				if _, ok := live[filepath.Base(words[len(words)-1])]; !ok {
					return "no record names the deployment of process " + command
				}
			default:
				return "nobody needs process " + command
			}
		}
		if apps > supervisors || fronts > 1 {
			return strings.Join(append(s.processes(), "a process without a supervisor, or a second front"), "\n")
		}
		return ""
	})
}

// processes returns the command lines of the site's processes.
func (s *site) processes() []string {
	s.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		s.t.Fatal(err)
	}
	var commands []string
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it ended
		}
		if command := strings.TrimSpace(strings.ReplaceAll(string(raw), "\x00", " ")); strings.Contains(command, s.dir) {
			commands = append(commands, command)
		}
	}
	return commands
}

// settles waits until wrong returns "".
func (s *site) settles(what string, wrong func() string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), settleLimit)
	defer cancel()
	var last string
	err := retry.Poll(ctx, settlePoll, func(context.Context) (bool, error) {
		last = wrong()
		return last == "", nil
	})
	if err != nil {
		s.t.Errorf("%s: %s", what, cmp.Or(last, err.Error()))
	}
}

// runUntil runs the program and sends it sig when moment comes.
func (s *site) runUntil(moment <-chan time.Time, sig syscall.Signal, args ...string) (status int, output string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), runLimit)
	defer cancel()
	cmd := s.command(ctx, nil, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var err error
	select {
	case <-moment:
		_ = cmd.Process.Signal(sig) // it may have ended
		err = <-ended
	case err = <-ended:
	}
	return s.outcome(ctx, args, out.Bytes(), err)
}
