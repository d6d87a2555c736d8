package transfer

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// errStalled is why a transfer ends in which nothing moves any more.
var errStalled = errors.New("the connection stands still")

// watched is a body on its way. It notes what the request's error will not
// tell, and ends the request's context when nothing moves.
type watched struct {
	from  io.ReadCloser
	ctx   context.Context
	end   context.CancelCauseFunc
	timer *time.Timer

	mu    sync.Mutex // the client may still read while its answer is looked at
	begun bool
	err   error
}

// watch begins to watch a body. The caller ends that with finish.
func watch(ctx context.Context, from io.ReadCloser) *watched {
	w := &watched{from: from}
	w.ctx, w.end = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(stalled, func() { w.end(errStalled) })
	return w
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Reset(stalled)
	w.begun = true
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// Close implements [io.Closer].
func (w *watched) Close() error { return w.from.Close() }

// finish ends the request, if it goes on, and closes the body.
func (w *watched) finish() {
	w.timer.Stop()
	w.end(nil)
	w.from.Close()
}

// state returns whether anything was read, and the error of reading.
func (w *watched) state() (begun bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun, w.err
}
