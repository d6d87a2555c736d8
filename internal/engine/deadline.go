package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// How long a deploy or a release may take where nobody says it. Who says it has
// a reason to wait, so that then only the whole time counts.
const (
	defaultTimeout  = time.Hour
	defaultPatience = 10 * time.Minute // without progress
)

// The causes of a context that ran into a deadline.
var (
	errTimeout = errors.New("the timeout passed")
	errStalled = errors.New("there was no progress")
)

// deadline ends an operation of a plugin that takes too long in all, or that
// shows no progress for too long. It is the progress that the plugin is given.
type deadline struct {
	component.Progress // of the host
	limit              time.Duration
	patience           time.Duration // 0 for any

	mu    sync.Mutex
	idle  *time.Timer // nil before the operation, and where patience is not limited
	shown string      // the latest progress
}

// allowance is how long a stage may take: what the call says counts before what
// the stage's block says.
func (r *run) allowance(c config.Conduct) time.Duration {
	return cmp.Or(r.options.Timeout, c.Timeout, defaultTimeout)
}

// deadline returns the one for a stage. The pauses of a canary release come on
// top of its allowance.
func (r *run) deadline(c config.Conduct) *deadline {
	d := &deadline{limit: r.allowance(c)}
	if r.options.Timeout == 0 && c.Timeout == 0 {
		d.patience = defaultPatience
	}
	if pauses := len(c.Canary) - 1; pauses > 0 {
		d.limit += time.Duration(pauses) * pauseOf(c)
	}
	return d
}

// start bounds ctx. Its end is a cause that [deadline.explain] knows.
func (d *deadline) start(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.limit, errTimeout)
	if d.patience == 0 {
		return ctx, cancel
	}
	ctx, stall := context.WithCancelCause(ctx) // ends with its parent
	d.mu.Lock()
	defer d.mu.Unlock()
	idle := time.AfterFunc(d.patience, func() { stall(errStalled) })
	d.idle = idle
	return ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		idle.Stop()
		if d.idle == idle { // or else it was started anew since
			d.idle = nil
		}
		cancel()
	}
}

// explain makes err, of a call with the context that start returned, one that
// says that the time was over, if it was. What is the stage.
func (d *deadline) explain(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	remedy := moreTime(what)
	if what == stageDeploy {
		remedy += ", or see in the last lines of the workload what it waits for"
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTimeout):
		return &diag.Problem{
			Summary: fmt.Sprintf("The %s did not end within %s", what, short(d.limit)),
			Detail:  "Its timeout passed. " + remedy + ".",
			Err:     err,
		}
	case errors.Is(cause, errStalled):
		return &diag.Problem{
			Summary: fmt.Sprintf("The %s made no progress for %s", what, short(d.patience)),
			Detail:  fmt.Sprintf("%s. %s.", d.lastSeen(), remedy),
			Err:     err,
		}
	}
	return err
}

// moreTime says how to give a stage more of it.
func moreTime(stage string) string {
	return fmt.Sprintf("Give it more time with \"timeout\" in the %s block, or with --timeout (the input `timeout`)", stage)
}

// inTime runs a hook of a stage, and says so where it was ended for its limit; 0
// is none. A hook may be silent for as long as it likes.
func inTime(ctx context.Context, limit time.Duration, stage string, hook func(context.Context) error) error {
	if limit == 0 {
		return hook(ctx)
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, errTimeout)
	defer cancel()
	err := hook(limited)
	if err == nil || !errors.Is(context.Cause(limited), errTimeout) {
		return err
	}
	return &diag.Problem{
		Summary: "The hook did not end within " + short(limit),
		Detail:  fmt.Sprintf("Around a %s it may take as long as the %s itself. %s.", stage, stage, moreTime(stage)),
		Err:     err,
	}
}

// lastSeen is the latest progress in a sentence.
func (d *deadline) lastSeen() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shown == "" {
		return "It showed nothing at all"
	}
	return fmt.Sprintf("The last that it showed was %q", d.shown)
}

// note takes down progress.
func (d *deadline) note(progress string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown = progress
	if d.idle != nil {
		d.idle.Reset(d.patience)
	}
}

// Step implements [component.Progress].
func (d *deadline) Step(ctx context.Context, title string, fn func(context.Context, component.Step) error) error {
	d.note(title)
	defer d.note(title)
	return d.Progress.Step(ctx, title, func(ctx context.Context, s component.Step) error {
		return fn(ctx, timedStep{s, d, title})
	})
}

// timedStep is a step whose every sign of life is progress.
type timedStep struct {
	component.Step
	deadline *deadline
	title    string
}

// Update implements [component.Step].
func (s timedStep) Update(format string, args ...any) {
	s.deadline.note(s.title + ": " + fmt.Sprintf(format, args...))
	s.Step.Update(format, args...)
}

// Output implements [component.Step].
func (s timedStep) Output() io.Writer { return timedOutput{s.Step.Output(), s} }

type timedOutput struct {
	io.Writer
	step timedStep
}

// Write implements [io.Writer].
func (o timedOutput) Write(p []byte) (int, error) {
	o.step.deadline.note(o.step.title)
	return o.Writer.Write(p)
}

// short is a duration as people write it: 5m, not 5m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
