package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/go-github/v82/github"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// How long a call waits when GitHub asks for patience. State must be read, so
// reading waits; a status that comes late helps nobody.
const (
	readPatience   = 15 * time.Minute
	reportPatience = 5 * time.Second
)

// secondaryPause is what GitHub asks for where a secondary limit names no time.
const secondaryPause = time.Minute

var (
	// ErrGone means that an artifact has expired.
	ErrGone = errors.New("the artifact has expired")

	// ErrDigest means that an artifact is not what its digest promises.
	ErrDigest = errors.New("the content does not match its digest")

	// ErrContent means that an artifact does not hold the file that it should.
	ErrContent = errors.New("the artifact holds something else")
)

// PermissionError means that GitHub refused the token. GitHub answers 404 for
// what a token may not even see.
type PermissionError struct {
	Permission string // the line of a workflow's permissions block that is missing, e.g. "actions: read"
	Status     int    // 401, 403 or 404
	Message    string // GitHub's
}

// Error implements error.
func (e *PermissionError) Error() string {
	if e.Status == http.StatusUnauthorized {
		return fmt.Sprintf("GitHub does not accept the token (401 %s)", e.Message)
	}
	return fmt.Sprintf("GitHub refused (%d %s); the token needs the permission %q", e.Status, e.Message, e.Permission)
}

// LimitError means that the requests of this repository are used up, for
// longer than it makes sense to wait.
type LimitError struct {
	Wait time.Duration // until GitHub answers again
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("GitHub's rate limit is used up for another %v", e.Wait.Round(time.Second))
}

// call repeats request until GitHub answers it. It waits as long as GitHub says
// to, but not longer than patience, and turns what go-github returns into
// errors of this package. Requests must be repeatable.
func (c *Client) call(ctx context.Context, permission string, patience time.Duration, request func() error) error {
	return retry.Do(ctx, func(ctx context.Context) error {
		err := request()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if pause := limited(err); pause > patience {
			return &LimitError{pause}
		} else if pause > 0 {
			return retry.After(&LimitError{pause}, pause)
		}
		refusal, answered := errors.AsType[*github.ErrorResponse](err)
		if !answered {
			return retry.Transient(withoutURL(err)) // the network
		}
		switch status := refusal.Response.StatusCode; status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
			return &PermissionError{permission, status, refusal.Message}
		case http.StatusGone:
			return ErrGone
		default:
			if transientStatus(status) {
				return retry.Transient(err)
			}
			return err
		}
	})
}

// limited returns how long GitHub asks to wait, or 0 where err is about
// something else.
func limited(err error) time.Duration {
	if limit, ok := errors.AsType[*github.RateLimitError](err); ok {
		return untilReset(limit.Rate.Reset.Time)
	}
	if limit, ok := errors.AsType[*github.AbuseRateLimitError](err); ok {
		return cmp.Or(limit.GetRetryAfter(), secondaryPause)
	}
	refusal, ok := errors.AsType[*github.ErrorResponse](err)
	if !ok {
		return 0
	}
	header := refusal.Response.Header
	if pause := retryAfter(header); pause > 0 {
		return pause
	}
	if refusal.Response.StatusCode != http.StatusTooManyRequests {
		return 0
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

func transientStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// withoutURL takes the URL out of an error of net/http: its query may hold a
// signature that is as good as a password.
func withoutURL(err error) error {
	failed, ok := errors.AsType[*url.Error](err)
	if !ok {
		return err
	}
	host := "the server"
	if u, parseErr := url.Parse(failed.URL); parseErr == nil {
		host = u.Host
	}
	return fmt.Errorf("asking %s: %w", host, failed.Err)
}
