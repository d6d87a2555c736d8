package app_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// signalVariable makes the program send itself a signal, which no sender from
// outside could time as well: LINES:SIGNAL.
const signalVariable = "TEST_SIGNAL_AFTER"

// signalAfter is the environment of a program that gets sig once it has printed
// so many lines.
func signalAfter(lines int, sig syscall.Signal) []string {
	return []string{fmt.Sprintf("%s=%d:%d", signalVariable, lines, sig)}
}

// signalled returns out, or what the variable makes of it.
func signalled(out io.Writer) io.Writer {
	lines, sig, ok := strings.Cut(os.Getenv(signalVariable), ":")
	if !ok {
		return out
	}
	n, err := strconv.Atoi(lines)
	if err != nil {
		panic(err)
	}
	number, err := strconv.Atoi(sig)
	if err != nil {
		panic(err)
	}
	return &signalling{out: out, lines: n, signal: syscall.Signal(number)}
}

// signalling is a writer that sends its own process a signal after some lines.
type signalling struct {
	out    io.Writer
	signal syscall.Signal

	mu    sync.Mutex
	lines int // still to come
}

// Write implements [io.Writer].
func (s *signalling) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.out.Write(p)
	before := s.lines
	s.lines -= bytes.Count(p, []byte("\n"))
	if before > 0 && s.lines <= 0 {
		if err := syscall.Kill(os.Getpid(), s.signal); err != nil {
			panic(err)
		}
		if s.signal == syscall.SIGKILL {
			select {} // until it arrives
		}
	}
	return n, err
}
