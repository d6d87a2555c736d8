package plugintest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"sync"
)

// The errors that a call gets when it is made to go wrong.
var (
	errFault  = errors.New("the connection was reset")
	errKilled = errors.New("the process was killed")
)

// mode is the way in which a chosen call goes wrong.
type mode string

const (
	faulted   mode = "failed"    // this call fails, later ones do not
	cancelled mode = "cancelled" // the context ends during this call
	killed    mode = "killed"    // our process dies in this call: no later one gets through
)

// strike makes one call go wrong.
type strike struct {
	mode    mode
	at      int  // which call, counted from 1; 0 for none
	applied bool // it takes effect all the same, only its answer is lost
}

// String says which call went wrong, and how, for messages.
func (s strike) String() string {
	when := "before it took effect"
	if s.applied {
		when = "after it took effect"
	}
	return fmt.Sprintf("with call %d %s %s", s.at, s.mode, when)
}

// Calls counts what a component asks of its outside world, and makes a chosen
// call go wrong. Requests of Host.HTTP and commands of Host.Helper are counted
// without the fake's doing; a fake that is called otherwise wraps what it does
// in [Calls.Read] and [Calls.Write]. Safe for concurrent use.
type Calls struct {
	mu     sync.Mutex
	writes []string // changing calls that got through, in order
	late   []string // calls with a live context after the cancellation
	count  int      // calls since arm
	strike strike
	struck bool
	ended  bool // the context was cancelled
	cancel context.CancelFunc
}

// Read counts a call that changes nothing and makes it. The name is for
// messages.
func (c *Calls) Read(ctx context.Context, name string, call func() error) error {
	return c.do(ctx, name, false, call)
}

// Write counts a call that changes something and makes it.
func (c *Calls) Write(ctx context.Context, name string, call func() error) error {
	return c.do(ctx, name, true, call)
}

func (c *Calls) do(ctx context.Context, name string, write bool, call func() error) error {
	// No client sends a request for a context that has ended.
	if err := ctx.Err(); err != nil {
		return err
	}
	apply, err := c.enter(ctx, name, write)
	if apply {
		if callErr := call(); err == nil {
			return callErr
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, errKilled) {
		c.end()
	}
	return err
}

// end ends the context of the trial.
func (c *Calls) end() {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
}

// enter counts a call. It says whether the call takes effect, and the error
// that hides its answer, if any.
func (c *Calls) enter(ctx context.Context, name string, write bool) (apply bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.struck {
		switch c.strike.mode {
		case killed:
			return false, errKilled
		case cancelled:
			// A concurrent call may come while the struck one is being made.
			if c.ended && ctx.Err() == nil {
				c.late = append(c.late, name)
			}
			return false, context.Canceled
		}
	}
	c.count++
	apply = true
	if c.count == c.strike.at {
		c.struck = true
		apply = c.strike.applied
		err = map[mode]error{faulted: errFault, cancelled: context.Canceled, killed: errKilled}[c.strike.mode]
	}
	if apply && write {
		c.writes = append(c.writes, name)
	}
	return apply, err
}

// arm makes a call from now on go wrong and returns the context for it.
func (c *Calls) arm(ctx context.Context, s strike) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count, c.strike, c.struck, c.ended, c.cancel, c.late = 0, s, false, false, cancel, nil
	return ctx
}

// disarm lets every call through again. It reports whether the chosen call was
// reached, and which calls came after a cancellation.
func (c *Calls) disarm() (reached bool, late []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel()
	reached, late = c.struck, c.late
	c.strike, c.struck = strike{}, false
	return reached, late
}

// written returns the calls that changed something since the last time.
func (c *Calls) written() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	writes := c.writes
	c.writes = nil
	return writes
}

// transport counts the requests that go through base.
type transport struct {
	calls *Calls
	base  http.RoundTripper
	reads func(*http.Request) bool
}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var resp *http.Response
	err := t.calls.do(req.Context(), req.Method+" "+req.URL.Path, !t.reads(req), func() error {
		var err error
		resp, err = t.base.RoundTrip(req)
		return err
	})
	if err != nil && resp != nil {
		_ = resp.Body.Close() // the answer is lost on purpose
		resp = nil
	}
	return resp, err
}

// readsByMethod is the rule for services whose methods mean what HTTP says.
func readsByMethod(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead || req.Method == http.MethodOptions
}

// helper counts the commands that base makes, as changes.
func (c *Calls) helper(base func(context.Context, ...string) *exec.Cmd) func(context.Context, ...string) *exec.Cmd {
	return func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := base(ctx, args...)
		// The command is not started yet, so a strike can only come before it.
		if err := c.Write(ctx, fmt.Sprint("helper ", args), func() error { return nil }); err != nil {
			cmd.Err = err
		}
		return cmd
	}
}
