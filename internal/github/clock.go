package github

import (
	"net/http"
	"sync"
	"time"
)

// sameTime is how far two clocks may be apart that show the same time: GitHub
// tells whole seconds, and an answer takes its way.
const sameTime = 5 * time.Second

// clock is GitHub's, as the last answer has told it.
type clock struct {
	mu   sync.Mutex
	told time.Time
	at   time.Time // by our clock; it goes on evenly, also where ours is set anew
}

// note reads the time that an answer tells.
func (c *clock) note(answer *http.Response) {
	told, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told, c.at = told, time.Now()
}

// now is the time by GitHub's clock; ours where they agree, or where GitHub has
// told nothing yet.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	ours := time.Now()
	if c.told.IsZero() {
		return ours
	}
	theirs := c.told.Add(time.Since(c.at))
	if theirs.Sub(ours).Abs() < sameTime {
		return ours
	}
	return theirs
}

// Now returns the time by GitHub's clock, which all jobs of a repository share:
// the clocks of their runners may be minutes apart. It sends nothing; before the
// first answer it is the time of this machine.
func (c *Client) Now() time.Time { return c.clock.now() }
