// Package workflow speaks the runner's protocol on top of go-githubactions:
// inputs and event in; outputs, masks, groups, annotations and the step
// summary out. It adds what that library leaves to its caller: random
// delimiters, masks line by line, defused untrusted text, errors not panics.
//
// It sends no request: what a remote service answers is package github's. It
// formats nothing for people either; that is package ui's.
package workflow

import (
	"io"
	"strings"
	"sync"

	"github.com/sethvargo/go-githubactions"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// shortestMask is the length from which a line is masked. The runner would
// mask a line "}" of a secret too, and with it every brace in the log.
const shortestMask = 4

// Runner is the runner that this job talks to. Off a runner it still answers
// questions, and writes nothing. Its methods are safe for concurrent use; its
// fields are set before the first call.
type Runner struct {
	// Root is the folder of the repository, which paths in annotations are
	// relative to. New sets it to the runner's workspace.
	Root string

	// Secrets are replaced by a mask in whatever the Runner writes, but for
	// the mask commands themselves. Nil knows none.
	Secrets *secret.Set

	getenv  func(string) string
	action  *githubactions.Action // reads inputs and context; writes nothing, for it panics where that fails
	context func() Context

	mu          sync.Mutex // guards what follows, and keeps commands in one piece
	out         io.Writer
	group       *group         // the open one, or nil
	annotations map[string]int // issued so far, by kind
	summaryFull bool
}

// New returns a Runner that reads its environment from getenv and writes
// workflow commands to out. Whatever else is written to out goes through
// [Runner.Print], because a command must begin its line.
func New(getenv func(string) string, out io.Writer) *Runner {
	r := &Runner{
		Root:        getenv("GITHUB_WORKSPACE"),
		getenv:      getenv,
		action:      githubactions.New(githubactions.WithGetenv(withoutEvent(getenv)), githubactions.WithWriter(io.Discard)),
		out:         out,
		annotations: map[string]int{},
	}
	r.context = sync.OnceValue(r.readContext)
	return r
}

// Active reports whether the program runs in a job at all.
func (r *Runner) Active() bool { return r.getenv("GITHUB_ACTIONS") == "true" }

// Debug reports whether the user asked the runner for debug output.
func (r *Runner) Debug() bool { return r.getenv("RUNNER_DEBUG") == "1" }

// Input returns the action's input of that name, with white space trimmed, or
// "" where it is absent. Name is spelt as in action.yml.
func (r *Runner) Input(name string) string { return r.action.GetInput(name) }

// InputList returns the lines of an input, each with white space trimmed, and
// without the empty ones.
func (r *Runner) InputList(name string) []string {
	var items []string
	for line := range strings.Lines(r.Input(name)) {
		if item := strings.TrimSpace(line); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// Mask hides every line of t in all later output of the job. Call it before
// t is used for anything else. Lines under 4 characters stay visible.
func (r *Runner) Mask(t secret.Text) {
	for line := range strings.FieldsFuncSeq(t.Reveal(), func(c rune) bool { return c == '\n' || c == '\r' }) {
		if line = strings.TrimSpace(line); len(line) >= shortestMask {
			r.command(githubactions.Command{Name: "add-mask", Message: line})
		}
	}
}

// Print writes text to the log, one line or more, none of which the runner
// obeys. Off a runner it writes nothing.
func (r *Runner) Print(text string) {
	if !r.Active() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(Defuse(r.redact(strings.TrimSuffix(text, "\n"))))
}

// LogDebug writes text to the log where only debug mode shows it.
func (r *Runner) LogDebug(text string) {
	r.command(githubactions.Command{Name: "debug", Message: r.redact(text)})
}

// Group opens a section of the log that can be folded; end closes it, and may
// be called more than once. The runner knows no sections inside sections: one
// that is still open is closed first.
func (r *Runner) Group(title string) (end func()) {
	g := &group{}
	title = r.redact(flatten(title))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.group != nil {
		r.issue(githubactions.Command{Name: "endgroup"})
	}
	r.group = g
	r.issue(githubactions.Command{Name: "group", Message: title})
	return func() { r.endGroup(g) }
}

// group stands for one section of the log. It has a field because pointers to
// empty structs may be equal.
type group struct{ _ byte }

// endGroup closes g unless that has been done.
func (r *Runner) endGroup(g *group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.group == g {
		r.group = nil
		r.issue(githubactions.Command{Name: "endgroup"})
	}
}

// command writes one workflow command, for which the library escapes.
func (r *Runner) command(c githubactions.Command) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.issue(c)
}

// issue is command for a caller that holds the lock. Off a runner it does
// nothing: there a mask command would itself show the secret.
func (r *Runner) issue(c githubactions.Command) {
	if r.Active() {
		r.write(c.String())
	}
}

// write writes one line or more in one call, so that no other writer's output
// comes between the parts of a command.
func (r *Runner) write(lines string) {
	// A log that cannot be written to leaves nowhere to say so.
	_, _ = io.WriteString(r.out, lines+"\n")
}

func (r *Runner) redact(text string) string { return r.Secrets.RedactString(text) }

// flatten makes one line of text.
func flatten(text string) string { return strings.Join(strings.Fields(text), " ") }
