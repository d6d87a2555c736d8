package local

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	logLimit   = 8 << 20  // bytes of a log file; then it becomes the older one
	lineLimit  = 64 << 10 // longer lines are split
	olderLog   = ".1"     // suffix of the older file
	kindOutput = "o"      // a line that the app wrote
	kindEvent  = "e"      // a line about the app
)

// logFile keeps what an app writes and what happens to it, one line each:
//
//	TIME KIND TEXT
//
// At most two files of logLimit are kept. What cannot be written is lost: a
// full disk must not stop the app. Safe for concurrent use.
type logFile struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int64
}

// openLog opens the log for appending, in a daemon that closes it by ending.
func openLog(path string) (*logFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return &logFile{path: path, file: file, size: info.Size()}, nil
}

// event adds a line about the app.
func (l *logFile) event(format string, args ...any) {
	l.add(kindEvent, fmt.Sprintf(format, args...))
}

func (l *logFile) add(kind, text string) {
	line := formatLine(time.Now(), kind, text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(line)) > logLimit {
		l.rotate()
	}
	n, _ := l.file.WriteString(line) // a full disk; see logFile
	l.size += int64(n)
}

// rotate begins a new file. Where that fails it goes on with the one it has.
func (l *logFile) rotate() {
	if os.Rename(l.path, l.path+olderLog) != nil {
		return
	}
	fresh, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	l.file.Close()
	l.file, l.size = fresh, 0
}

func formatLine(at time.Time, kind, text string) string {
	text = strings.TrimRight(strings.ReplaceAll(text, "\n", " "), "\r")
	return at.UTC().Format(time.RFC3339Nano) + " " + kind + " " + text + "\n"
}

// parseLine is the inverse of formatLine.
func parseLine(line string) (at time.Time, kind, text string, ok bool) {
	stamp, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	kind, text, _ = strings.Cut(rest, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	return at, kind, text, err == nil && (kind == kindOutput || kind == kindEvent)
}

// lineWriter cuts one stream of an app into lines of the log.
type lineWriter struct {
	log *logFile

	mu      sync.Mutex
	pending []byte // the beginning of a line
}

// Write implements [io.Writer]. It never fails, or the app would be stuck.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, p...)
	for {
		end := bytes.IndexByte(w.pending, '\n')
		if end < 0 && len(w.pending) < lineLimit {
			return len(p), nil
		}
		if end < 0 || end > lineLimit {
			w.log.add(kindOutput, string(w.pending[:lineLimit]))
			w.pending = w.pending[lineLimit:]
			continue
		}
		w.log.add(kindOutput, string(w.pending[:end]))
		w.pending = w.pending[end+1:]
	}
}

// flush writes the line that was begun, when its stream has ended.
func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) > 0 {
		w.log.add(kindOutput, string(w.pending))
		w.pending = nil
	}
}
