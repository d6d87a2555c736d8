package workflow

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"
)

// summaryLimit is the size above which the runner drops the summary of a step
// as a whole.
const summaryLimit = 1 << 20

const summaryNote = "\n\n_The summary ends here: it may hold at most 1 MiB._\n"

// SetOutput sets an output of the step. Off a runner it does nothing. Known
// secrets in value are masked.
func (r *Runner) SetOutput(name, value string) error {
	if !r.Active() {
		return nil
	}
	entry, err := heredoc(name, r.redact(value), "ghadelimiter_"+rand.Text())
	if err != nil {
		return fmt.Errorf("setting the output %q: %w", name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.appendTo("GITHUB_OUTPUT", entry)
}

// heredoc returns the form of an output that can hold any value but one with
// the delimiter in it: such a value would end early, and could set other
// outputs by what follows.
func heredoc(name, value, delimiter string) (string, error) {
	if name == "" || strings.ContainsAny(name, "=\r\n") || strings.Contains(name, "<<") {
		return "", errors.New("the name is not one that the runner can read")
	}
	if strings.Contains(value, delimiter) {
		return "", fmt.Errorf("the value contains the delimiter %q", delimiter)
	}
	return name + "<<" + delimiter + "\n" + value + "\n" + delimiter + "\n", nil
}

// AppendSummary appends Markdown to the step summary. Off a runner it does
// nothing. Where the summary would exceed what the runner takes, it is cut
// with a note, and what comes later is dropped. Known secrets are masked.
func (r *Runner) AppendSummary(markdown string) error {
	if !r.Active() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.summaryFull {
		return nil
	}
	markdown = strings.TrimSuffix(r.redact(markdown), "\n") + "\n"
	room := summaryLimit - len(summaryNote)
	// The file also holds what an earlier process of this step wrote. Where it
	// cannot be looked at, appending says why.
	if info, err := os.Stat(r.getenv("GITHUB_STEP_SUMMARY")); err == nil {
		room -= int(info.Size())
	}
	if len(markdown) > room {
		r.summaryFull = true
		if room < 0 { // cut by an earlier process, or full of what others wrote
			return nil
		}
		markdown = cutAt(markdown, room) + summaryNote
	}
	return r.appendTo("GITHUB_STEP_SUMMARY", markdown)
}

// cutAt returns at most size bytes of text: whole lines, or where the first is
// too long, whole characters.
func cutAt(text string, size int) string {
	text = text[:size]
	if end := strings.LastIndexByte(text, '\n'); end >= 0 {
		return text[:end]
	}
	for !utf8.ValidString(text) && text != "" {
		text = text[:len(text)-1]
	}
	return text
}

// appendTo appends text to the file that an environment variable names, in one
// write: the runner may read it at any moment after a cancellation.
func (r *Runner) appendTo(variable, text string) (err error) {
	path := r.getenv(variable)
	if path == "" {
		return fmt.Errorf("writing for the runner: the environment variable %s is not set", variable)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the file that %s names: %w", variable, err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("closing the file that %s names: %w", variable, closeErr)
		}
	}()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("writing to the file that %s names: %w", variable, err)
	}
	return nil
}
