package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// recorder keeps everything that a component says in one trial: progress,
// logs, results and errors. It is the [component.Progress] of the trial. Safe
// for concurrent use.
type recorder struct {
	mu      sync.Mutex
	said    bytes.Buffer
	secrets []secret.Text
}

// Step implements [component.Progress].
func (r *recorder) Step(ctx context.Context, title string, fn func(context.Context, component.Step) error) error {
	r.note(title)
	err := fn(ctx, step{r})
	r.note("%v", err)
	return err
}

// note keeps a text.
func (r *recorder) note(format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	_, _ = r.Write([]byte(format + "\n")) // a buffer's Write returns no error
}

// Write implements [io.Writer].
func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(p)
}

// leak reports the line in which a secret shows up, as it is, or encoded.
func (r *recorder) leak() error {
	var set secret.Set
	for _, s := range r.secrets {
		set.Add(s)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.said.String()) {
		redacted := set.RedactString(line)
		if redacted != line {
			return fmt.Errorf("a secret shows in what the component says: %q", redacted)
		}
	}
	return nil
}

// logger returns a logger whose output is kept, debug lines included.
func (r *recorder) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// step is a step of a [recorder].
type step struct{ r *recorder }

// Update implements [component.Step].
func (s step) Update(format string, args ...any) { s.r.note("%s", fmt.Sprintf(format, args...)) }

// Output implements [component.Step].
func (s step) Output() io.Writer { return s.r }

// unsupported reports whether err says that a component cannot do a thing.
func unsupported(err error) bool { return errors.Is(err, errors.ErrUnsupported) }
