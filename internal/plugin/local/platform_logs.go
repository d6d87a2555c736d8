package local

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// followPoll is how often a log that is followed is looked at.
const followPoll = 100 * time.Millisecond

// Logs implements [component.Platform].
func (p *platform) Logs(ctx context.Context, t component.Target[Deployment], req component.LogRequest) iter.Seq2[component.LogLine, error] {
	if _, err := p.card(t.App, t.ID); err != nil {
		return component.FailedLogs(err)
	}
	at := homeOf(p.host.DataDir, t.App, t.ID)
	if !req.Follow {
		return readLog(at, t.ID, req)
	}
	return followLog(ctx, at, t.ID, req)
}

// readLog yields the lines that there are by now.
func readLog(at home, instance string, req component.LogRequest) iter.Seq2[component.LogLine, error] {
	return func(yield func(component.LogLine, error) bool) {
		log, err := openLogReader(at)
		if err != nil {
			yield(component.LogLine{}, err)
			return
		}
		defer log.close()
		lines, err := log.present(instance, req)
		yieldAll(lines, err, yield)
	}
}

// followLog yields the lines that there are and then those to come, until ctx
// ends or the deployment is destroyed.
func followLog(ctx context.Context, at home, instance string, req component.LogRequest) iter.Seq2[component.LogLine, error] {
	return func(yield func(component.LogLine, error) bool) {
		log, err := openLogReader(at)
		if err != nil {
			yield(component.LogLine{}, err)
			return
		}
		defer log.close()
		lines, err := log.present(instance, req)
		for yieldAll(lines, err, yield) {
			if retry.Sleep(ctx, followPoll) != nil {
				return
			}
			lines, err = log.next(instance, req.Since)
			if errors.Is(err, fs.ErrNotExist) {
				yieldAll(lines, nil, yield)
				return
			}
		}
	}
}

// yieldAll reports whether more is wanted.
func yieldAll(lines []component.LogLine, err error, yield func(component.LogLine, error) bool) bool {
	for _, line := range lines {
		if !yield(line, nil) {
			return false
		}
	}
	if err != nil {
		yield(component.LogLine{}, err)
		return false
	}
	return true
}

// logReader reads a [logFile] that another process writes.
type logReader struct {
	path    string
	older   *os.File // nil when there is none
	file    *os.File // nil until there is one
	reader  *bufio.Reader
	partial string // a line that is still being written
}

func openLogReader(at home) (*logReader, error) {
	r := &logReader{path: at.path(logName)}
	// The newer file first: if it is rotated in between, it is read twice by
	// name but is one file, and no line is missed.
	if err := r.open(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	older, err := os.Open(r.path + olderLog)
	if err != nil {
		return r, nil
	}
	if r.file != nil && sameFile(older, r.file) {
		return r, older.Close()
	}
	r.older = older
	return r, nil
}

func (r *logReader) open() error {
	file, err := os.Open(r.path)
	if err != nil {
		return err
	}
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.reader = file, bufio.NewReader(file)
	return nil
}

func (r *logReader) close() {
	for _, file := range []*os.File{r.older, r.file} {
		if file != nil {
			file.Close()
		}
	}
}

// present returns the lines that there are, as far as req wants them. Tail
// counts lines of output; events among them come on top.
func (r *logReader) present(instance string, req component.LogRequest) ([]component.LogLine, error) {
	var lines []component.LogLine
	if r.older != nil {
		older := bufio.NewReader(r.older)
		for text, err := older.ReadString('\n'); err == nil; text, err = older.ReadString('\n') {
			lines = appendLine(lines, text, instance, req.Since)
		}
	}
	newer, err := r.rest(instance, req.Since)
	lines = append(lines, newer...)
	if req.Tail > 0 {
		left := req.Tail
		for i, line := range slices.Backward(lines) {
			if line.Instance == "" {
				continue
			}
			if left--; left < 0 {
				lines = lines[i+1:]
				break
			}
		}
	}
	return lines, err
}

// next returns the lines that were added since. It returns [fs.ErrNotExist]
// beside the last ones when the deployment is gone.
func (r *logReader) next(instance string, since time.Time) ([]component.LogLine, error) {
	lines, err := r.rest(instance, since)
	if err != nil {
		return lines, err
	}
	now, err := os.Stat(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(filepath.Dir(r.path)) // else it is just being rotated
		return lines, err
	}
	if err != nil {
		return lines, err
	}
	if r.file != nil {
		if was, err := r.file.Stat(); err != nil || os.SameFile(was, now) {
			return lines, err
		}
		// Rotated: what came between the two looks is still in the old file.
		last, err := r.rest(instance, since)
		lines = append(lines, last...)
		if err != nil {
			return lines, err
		}
	}
	if err := r.open(); err != nil {
		return lines, err
	}
	fresh, err := r.rest(instance, since)
	return append(lines, fresh...), err
}

// rest reads the newer file to its present end.
func (r *logReader) rest(instance string, since time.Time) ([]component.LogLine, error) {
	if r.file == nil {
		return nil, nil
	}
	var lines []component.LogLine
	for {
		text, err := r.reader.ReadString('\n')
		r.partial += text
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = appendLine(lines, r.partial, instance, since)
		r.partial = ""
	}
}

// appendLine adds a line of the file unless it is older than since.
func appendLine(lines []component.LogLine, text, instance string, since time.Time) []component.LogLine {
	at, kind, text, ok := parseLine(strings.TrimSuffix(text, "\n"))
	if !ok || at.Before(since) {
		return lines
	}
	line := component.LogLine{Time: at, Text: text}
	if kind == kindOutput {
		line.Instance = instance
	}
	return append(lines, line)
}

func sameFile(a, b *os.File) bool {
	infoA, errA := a.Stat()
	infoB, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
