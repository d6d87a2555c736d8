package ui

import (
	"log/slog"
	"strings"
)

// Logger returns the logger for what a maintainer needs and a user does not.
// It shows nothing unless Options.Debug is set. On a runner its lines are
// debug commands.
func (u *UI) Logger() *slog.Logger {
	if !u.o.Debug {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(debugWriter{u}, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{} // the runner's log has times; a terminal's reader has no use for them
			}
			return a
		},
	}))
}

// debugWriter takes one record of the log at each Write.
type debugWriter struct{ u *UI }

// Write shows a record. Its error is nil.
func (w debugWriter) Write(record []byte) (int, error) {
	u := w.u
	line := strings.TrimSuffix(string(record), "\n")
	if u.o.Runner != nil {
		u.o.Runner.LogDebug(u.clean(line))
		return len(record), nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.show(u.current(), u.paint(dim, "debug: "+line))
	return len(record), nil
}
