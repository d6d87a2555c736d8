package local_test

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/local"
)

// lines collects what is logged by now.
func (r *rig) lines(target component.Target[component.Deployment], req component.LogRequest) (output, events []string) {
	r.t.Helper()
	for line, err := range r.platform(local.PlatformConfig{}).Logs(r.t.Context(), target, req) {
		switch {
		case err != nil:
			r.t.Fatal(err)
		case line.Instance == "":
			events = append(events, line.Text)
		default:
			output = append(output, line.Text)
		}
	}
	return output, events
}

func (r *rig) events(target component.Target[component.Deployment]) string {
	_, events := r.lines(target, component.LogRequest{})
	return strings.Join(events, "\n")
}

// say makes the app write a line, and waits until it is logged.
func (r *rig) say(target component.Target[component.Deployment], text string) {
	r.t.Helper()
	r.get(target.Deployment.URL() + "/log?text=" + url.QueryEscape(text))
	r.eventually(text+" is logged", func() bool {
		output, _ := r.lines(target, component.LogRequest{})
		return len(output) > 0 && output[len(output)-1] == text
	})
}

func TestLogs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	r.say(target, "first")
	between := time.Now()
	r.say(target, "second")

	for name, test := range map[string]struct {
		req  component.LogRequest
		want []string
	}{
		"all":   {component.LogRequest{}, []string{"version web-1 starts", "first", "second"}},
		"tail":  {component.LogRequest{Tail: 2}, []string{"first", "second"}},
		"since": {component.LogRequest{Since: between}, []string{"second"}},
	} {
		output, _ := r.lines(target, test.req)
		if diff := cmp.Diff(test.want, output); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if events := r.events(target); !strings.Contains(events, "started: process") {
		t.Errorf("events are %q, want the start among them", events)
	}
}

func TestLogsFollow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	r.say(target, "first")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan string)
	go func() {
		defer close(got)
		for line, err := range r.platform(local.PlatformConfig{}).Logs(ctx, target, component.LogRequest{Tail: 1, Follow: true}) {
			if err != nil {
				got <- err.Error()
			}
			if line.Instance != "" {
				got <- line.Text
			}
		}
	}()
	if line := <-got; line != "first" {
		t.Errorf("first line is %q, want %q", line, "first")
	}
	r.get(target.Deployment.URL() + "/log?text=second")
	if line := <-got; line != "second" {
		t.Errorf("followed line is %q, want %q", line, "second")
	}
	cancel()
	if line, more := <-got; more {
		t.Errorf("after the end of the context came %q", line)
	}
}

func TestExec(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	p := r.platform(local.PlatformConfig{})
	for name, test := range map[string]struct {
		command []string
		stdin   string
		status  int
		output  string
	}{
		"environment": {command: []string{"/app", "env", "VERSION"}, output: "web-1\n"},
		"input":       {command: []string{"/app", "cat"}, stdin: "hello", output: "hello"},
		"exit status": {command: []string{"/app", "exit", "5"}, status: 5},
	} {
		t.Run(name, func(t *testing.T) {
			var output bytes.Buffer
			status, err := p.Exec(t.Context(), target, component.ExecRequest{
				Command: test.command, Stdin: strings.NewReader(test.stdin), Stdout: &output, Stderr: &output,
			})
			if err != nil || status != test.status || output.String() != test.output {
				t.Errorf("Exec(%q) = %d, %q, %v, want %d, %q", test.command, status, output.String(), err, test.status, test.output)
			}
		})
	}
	t.Run("no such program", func(t *testing.T) {
		_, err := p.Exec(t.Context(), target, component.ExecRequest{Command: []string{"/missing"}})
		if err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("Exec = %v, want that the program is missing", err)
		}
	})
	t.Run("terminal", func(t *testing.T) {
		_, err := p.Exec(t.Context(), target, component.ExecRequest{Command: []string{"/app"}, TTY: true})
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Exec = %v, want that it is unsupported", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		started := writerFunc(func([]byte) { cancel() })
		_, err := p.Exec(ctx, target, component.ExecRequest{Command: []string{"/app", "sleep"}, Stdout: started})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Exec = %v, want the end of the context", err)
		}
	})
}

// writerFunc is called with what is written.
type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
