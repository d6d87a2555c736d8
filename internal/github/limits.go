package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-github/v82/github"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// How long a call waits when GitHub asks for patience. State must be read and
// an intent must be written, so these wait; a status that comes late helps
// nobody.
const (
	readPatience   = 15 * time.Minute
	reportPatience = 5 * time.Second

	// outagePatience is how long GitHub may be out of reach, where it does not
	// say for how long.
	outagePatience = 3 * time.Minute
)

// secondaryPause is what GitHub asks for where a secondary limit names no time.
const secondaryPause = time.Minute

// LimitError means that the requests of this repository are used up, for
// longer than it makes sense to wait.
type LimitError struct {
	Wait time.Duration // until GitHub answers again
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("GitHub's rate limit is used up for another %v", e.Wait.Round(time.Second))
}

// pause remembers until when GitHub wants no requests, since who goes on
// sending them is shut out for longer.
type pause struct {
	mu    sync.Mutex
	until time.Time
}

// extend makes the pause last for at least d from now.
func (p *pause) extend(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}

// wait returns when the pause is over, or a [LimitError] at once where that
// takes longer than patience.
func (p *pause) wait(ctx context.Context, patience time.Duration) error {
	p.mu.Lock()
	left := time.Until(p.until)
	p.mu.Unlock()
	switch {
	case left <= 0:
		return nil
	case left > patience:
		return &LimitError{left}
	}
	return retry.Sleep(ctx, left)
}

// limited returns how long GitHub asks to wait, or 0 where err is about
// something else.
func limited(err error) time.Duration {
	if limit, ok := errors.AsType[*github.RateLimitError](err); ok {
		return untilReset(limit.Rate.Reset.Time)
	}
	if limit, ok := errors.AsType[*github.AbuseRateLimitError](err); ok {
		return secondary(limit.Response.Header)
	}
	refusal, ok := errors.AsType[*github.ErrorResponse](err)
	if !ok {
		return 0
	}
	if pause := retryAfter(refusal.Response.Header); pause > 0 {
		return pause
	}
	if refusal.Response.StatusCode != http.StatusTooManyRequests {
		return 0
	}
	return secondary(refusal.Response.Header)
}

// secondary returns the pause after a secondary limit. The time of the reset
// counts only where the primary limit is used up as well.
func secondary(header http.Header) time.Duration {
	if pause := retryAfter(header); pause > 0 {
		return pause
	}
	if reset, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64); err == nil && header.Get("X-RateLimit-Remaining") == "0" {
		return untilReset(time.Unix(reset, 0))
	}
	return secondaryPause
}

// untilReset adds a second, since the service counts in whole ones.
func untilReset(reset time.Time) time.Duration {
	return max(time.Until(reset), 0) + time.Second
}

// retryAfter returns the pause that an answer asks for, or 0.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
