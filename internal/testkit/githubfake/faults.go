package githubfake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// Refusal is what happens in place of a good answer.
type Refusal struct {
	Status int         `json:"status"` // of an answer instead of the real one; 0 keeps the real one
	Header http.Header `json:"header"`
	Body   string      `json:"body"` // JSON

	Served bool          `json:"served"` // the request is carried out all the same: only its answer is lost
	Reset  bool          `json:"reset"`  // the connection breaks before any answer
	Cut    bool          `json:"cut"`    // the connection breaks in the middle of the answer
	Pause  time.Duration `json:"pause"`  // in the middle of the answer; in JSON, nanoseconds
}

// errReset is what a client sees of a broken connection.
var errReset = errors.New("connection reset by peer")

// Refuse makes f ask refuse before it answers anything. Where refuse returns
// nil the request is answered as always.
func (f *Fake) Refuse(refuse func(*http.Request) *Refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = refuse
}

// fault is a [Refusal] that a script has asked for.
type fault struct {
	Refusal
	Method string `json:"method"` // "" for any
	Path   string `json:"path"`   // how the path ends; "" for any
	Times  int    `json:"times"`
}

// refusal returns what is to happen to a request, or nil.
func (f *Fake) refusal(r *http.Request) *Refusal {
	for i := range f.faults {
		fault := &f.faults[i]
		if fault.Times > 0 && (fault.Method == "" || fault.Method == r.Method) && strings.HasSuffix(r.URL.Path, fault.Path) {
			fault.Times--
			return &fault.Refusal
		}
	}
	if f.refuse == nil {
		return nil
	}
	return f.refuse(r)
}

// body returns the body of an answer as a client reads it.
func (refusal *Refusal) body(ctx context.Context, content []byte) io.Reader {
	half := len(content) / 2
	switch {
	case refusal == nil:
		return bytes.NewReader(content)
	case refusal.Cut:
		return io.MultiReader(bytes.NewReader(content[:half]), readerFunc(func([]byte) (int, error) { return 0, errReset }))
	case refusal.Pause > 0:
		pause := readerFunc(func([]byte) (int, error) {
			if err := retry.Sleep(ctx, refusal.Pause); err != nil {
				return 0, err
			}
			return 0, io.EOF
		})
		return io.MultiReader(bytes.NewReader(content[:half]), pause, bytes.NewReader(content[half:]))
	}
	return bytes.NewReader(content)
}

// readerFunc makes a function a reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// send writes an answer with its fault to a socket.
func (refusal *Refusal) send(ctx context.Context, w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	if refusal != nil && refusal.Reset {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(answer.Code)
	if refusal == nil {
		// The reader may have gone; there is nobody left to tell.
		_, _ = w.Write(answer.Body.Bytes())
		return
	}
	body := refusal.body(ctx, answer.Body.Bytes())
	for part := make([]byte, 64<<10); ; {
		n, err := body.Read(part)
		// As above. What comes before a fault must not wait for it.
		_, _ = w.Write(part[:n])
		_ = http.NewResponseController(w).Flush()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}
