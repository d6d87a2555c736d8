// Package failure tells how a RUN instruction failed, in the same words whoever
// carried it out.
package failure

import (
	"fmt"
	"strings"
	"sync"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// The most of a command's output that a problem repeats.
const (
	tailLines = 20
	tailBytes = 4 << 10
)

// OfRun describes a command that did not end well. Subject names it, and may
// begin with its line; how says what happened, as in "ended with exit code 1".
func OfRun(subject, how string, output *Tail, err error) *diag.Problem {
	detail := fmt.Sprintf("%s %s.", subject, how)
	if text := output.String(); text != "" {
		detail += " The end of its output:\n" + text
	} else {
		detail += " It wrote nothing."
	}
	return &diag.Problem{Summary: "RUN failed", Detail: detail, Err: err}
}

// Tail keeps the end of what is written to it. It may be used concurrently.
type Tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements [io.Writer].
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailBytes; extra > 0 {
		t.text = t.text[:copy(t.text, t.text[extra:])]
	}
	return len(p), nil
}

// String returns the last lines.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimRight(string(t.text), "\n"), "\n")
	return strings.ToValidUTF8(strings.Join(lines[max(0, len(lines)-tailLines):], "\n"), "\uFFFD")
}
