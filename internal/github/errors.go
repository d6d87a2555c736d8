package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-github/v82/github"

	"github.com/deploy-action/deploy-action/internal/retry"
)

var (
	// ErrGone means that an artifact has expired, or was deleted.
	ErrGone = errors.New("the artifact has expired or was deleted")

	// ErrDigest means that an artifact is not what its digest promises.
	ErrDigest = errors.New("the content does not match its digest")

	// ErrContent means that an artifact does not hold the file that it should.
	ErrContent = errors.New("the artifact holds something else")

	// ErrNotFound means that GitHub shows no such thing to this token. A
	// [PermissionError] of status 404 is one as well.
	ErrNotFound = errors.New("GitHub knows no such thing")

	// ErrConflict means that somebody else was faster. What was read before
	// must be read again.
	ErrConflict = errors.New("it was changed meanwhile")
)

// PermissionError means that GitHub refused the token. GitHub answers 404 for
// what a token may not even see.
type PermissionError struct {
	Permission string // the line of a workflow's permissions block that is missing, e.g. "actions: read"; "" where none helps
	Status     int    // 401, 403 or 404
	Message    string // GitHub's
}

// Error implements error.
func (e *PermissionError) Error() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return fmt.Sprintf("GitHub does not accept the token (401 %s)", e.Message)
	case e.Permission != "" && e.Status == http.StatusNotFound:
		return fmt.Sprintf("GitHub finds nothing (404 %s); if it exists, the token needs the permission %q", e.Message, e.Permission)
	case e.Permission == "":
		return fmt.Sprintf("GitHub refused (%d %s)", e.Status, e.Message)
	}
	return fmt.Sprintf("GitHub refused (%d %s); the token needs the permission %q", e.Status, e.Message, e.Permission)
}

// Is makes what cannot be seen an [ErrNotFound].
func (e *PermissionError) Is(target error) bool {
	return target == ErrNotFound && e.Status == http.StatusNotFound
}

// AnswerError means that GitHub understood who asks, and refused what is asked.
type AnswerError struct {
	Status  int
	Message string // GitHub's, with what it says of single fields
}

// Error implements error.
func (e *AnswerError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("GitHub answered %d %s %s", e.Status, http.StatusText(e.Status), e.Message))
}

// call repeats request until GitHub answers it. It waits as long as GitHub says
// to, but not longer than patience, nor longer than outagePatience for a GitHub
// that says nothing; and turns what go-github returns into
// errors of this package. Requests must be repeatable.
func (c *Client) call(ctx context.Context, permission string, patience time.Duration, request func() error) error {
	began := time.Now()
	return retry.Patiently(ctx, patience, func(ctx context.Context) error {
		if err := c.pause.wait(ctx, patience); err != nil {
			return err
		}
		err := request()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if wait := limited(err); wait > 0 {
			c.pause.extend(wait)
			if wait > patience {
				return &LimitError{wait}
			}
			return retry.After(&LimitError{wait}, wait)
		}
		if failed, ok := errors.AsType[*SignInError](err); ok {
			return failed
		}
		refusal, answered := errors.AsType[*github.ErrorResponse](err)
		passing := true // the network, or an answer that is no JSON
		if answered {
			passing = transientStatus(refusal.Response.StatusCode)
			err = refused(refusal, permission)
		}
		if passing && time.Since(began) < outagePatience {
			return retry.Transient(withoutURL(err))
		}
		return withoutURL(err)
	})
}

// refused turns an answer that is none of success into an error.
func refused(answer *github.ErrorResponse, permission string) error {
	switch status := answer.Response.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound:
		return &PermissionError{permission, status, answer.Message}
	case status == http.StatusGone:
		return ErrGone
	default:
		return &AnswerError{status, messageOf(answer)}
	}
}

func messageOf(answer *github.ErrorResponse) string {
	parts := []string{}
	for _, e := range answer.Errors {
		part := e.Message
		if part == "" {
			part = strings.TrimSpace(e.Field + " " + strings.ReplaceAll(e.Code, "_", " "))
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return answer.Message
	}
	return fmt.Sprintf("%s (%s)", answer.Message, strings.Join(parts, ", "))
}

// create is call for a request that makes something new each time it is sent.
// After a try of which nobody knows whether it was carried out, it sends again
// only if arrived finds nothing.
func (c *Client) create(ctx context.Context, permission string, patience time.Duration, request func() error, arrived func() (bool, error)) error {
	unknown := false
	return c.call(ctx, permission, patience, func() error {
		if unknown {
			if found, err := arrived(); found || err != nil {
				return err
			}
		}
		err := request()
		refusal, answered := errors.AsType[*github.ErrorResponse](err)
		unknown = err != nil && limited(err) == 0 && (!answered || transientStatus(refusal.Response.StatusCode))
		return err
	})
}

// remove is call for a request that deletes. What is gone already is as good.
func (c *Client) remove(ctx context.Context, permission string, request func() error) error {
	err := c.call(ctx, permission, reportPatience, request)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
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
