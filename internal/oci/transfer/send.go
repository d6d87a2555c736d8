package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/deploy-action/deploy-action/internal/retry"
)

const (
	pause   = 250 * time.Millisecond // before a broken answer is gone on with
	goOnFor = 4 << 20                // what is left of an upload must be more, or it begins anew
	stalled = 3 * time.Minute        // without a byte taken, a connection counts as broken
)

// Blob is what [Repository.Send] sends.
type Blob struct {
	Digest string
	Size   int64
	Open   func(context.Context) (io.ReadCloser, error) // an [io.Seeker] is faster to go on with
	Mount  string                                       // a repository of the same registry that has it; "" for none
	New    bool                                         // it is not worth asking whether the repository has it
}

// Send stores a blob, unless the repository has it. It mounts it where that is
// possible, and tries again where a connection breaks or a session is lost.
func (r *Repository) Send(ctx context.Context, b Blob) error {
	s := &sending{repo: r, blob: b}
	if err := retry.Do(ctx, s.try); err != nil {
		return fmt.Errorf("sending blob %s: %w", b.Digest, err)
	}
	r.Know(b.Digest)
	return nil
}

// sending is one blob on its way.
type sending struct {
	repo    *Repository
	blob    Blob
	session string // where the blob goes; "" for nowhere yet
	offset  int64  // how much of it is there
	tried   bool
	doubted bool // the registry once said that the bytes are wrong
	signed  bool // the login once ran out
}

func (s *sending) try(ctx context.Context) error {
	if s.session != "" {
		s.goOn(ctx)
	}
	if s.session == "" {
		if !s.blob.New || s.tried {
			if has, err := s.repo.Has(ctx, s.blob.Digest); has || err != nil {
				return err
			}
		}
		if mounted, err := s.begin(ctx); mounted || err != nil {
			return err
		}
	}
	s.tried = true
	return s.transfer(ctx)
}

// begin opens a session, or mounts the blob, which needs none.
func (s *sending) begin(ctx context.Context) (mounted bool, err error) {
	query := ""
	if s.blob.Mount != "" {
		query = "?" + url.Values{"mount": {s.blob.Digest}, "from": {s.blob.Mount}}.Encode()
		s.blob.Mount = "" // what fails once is not tried again
	}
	resp, err := s.repo.ask(ctx, http.MethodPost, "/blobs/uploads/"+query, nil)
	if err != nil {
		return false, err
	}
	defer discard(resp)
	switch {
	case resp.StatusCode == http.StatusCreated && query != "":
		return true, nil
	case resp.StatusCode >= 400 && query != "":
		return s.begin(ctx) // some do not show the other repository to us
	}
	if err := transport.CheckError(resp, http.StatusAccepted); err != nil {
		return false, err
	}
	s.offset = 0
	return false, s.follow(resp)
}

// follow takes the session's next address from an answer.
func (s *sending) follow(resp *http.Response) error {
	next, err := resp.Location()
	if err != nil {
		return fmt.Errorf("beginning an upload: the answer has no usable address: %w", err)
	}
	s.session = next.String()
	return nil
}

// goOn asks how much of the blob is there. Where that cannot be said, or is
// not worth it, the session is given up.
func (s *sending) goOn(ctx context.Context) {
	session := s.session
	s.session = ""
	if s.blob.Size < goOnFor {
		return
	}
	resp, err := s.repo.do(ctx, true, func() (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, session, nil)
	})
	if err != nil {
		return
	}
	defer discard(resp)
	_, last, ok := strings.Cut(resp.Header.Get("Range"), "-")
	end, err := strconv.ParseInt(last, 10, 64)
	if resp.StatusCode != http.StatusNoContent || !ok || err != nil || end < 0 || end >= s.blob.Size {
		return
	}
	s.session, s.offset = session, end+1
	if end == 0 {
		s.offset = 0 // many say 0-0 when they have nothing
	}
	_ = s.follow(resp) // an answer without an address means the same one
}

// transfer sends what is missing, in one request that also ends the session.
func (s *sending) transfer(ctx context.Context) error {
	target, err := url.Parse(s.session)
	if err != nil {
		return fmt.Errorf("reading the address of an upload: %w", err)
	}
	query := target.Query()
	query.Set("digest", s.blob.Digest)
	target.RawQuery = query.Encode()
	content, err := s.open(ctx)
	if err != nil {
		return err
	}
	body := watch(ctx, content)
	defer body.finish()
	resp, err := s.repo.do(ctx, !s.signed, func() (*http.Request, error) {
		if begun, _ := body.state(); begun {
			s.signed = true
			return nil, errSignIn // what was read is gone
		}
		req, err := http.NewRequestWithContext(body.ctx, http.MethodPut, target.String(), body)
		if err != nil {
			return nil, err
		}
		req.ContentLength = s.blob.Size - s.offset
		if req.ContentLength == 0 {
			req.Body = http.NoBody
		}
		req.Header.Set("Content-Type", "application/octet-stream")
		if s.offset > 0 {
			req.Header.Set("Content-Range", fmt.Sprintf("%d-%d", s.offset, s.blob.Size-1))
		}
		return req, nil
	})
	if err != nil {
		return lost(ctx, body, err)
	}
	defer discard(resp)
	err = transport.CheckError(resp, http.StatusCreated, http.StatusNoContent, http.StatusOK)
	if err == nil {
		return nil
	}
	return s.refused(resp, err)
}

// errSignIn says that a login ran out while a blob was sent.
var errSignIn = errors.New("the registry wants a new login")

// lost decides whether a connection that broke is worth another try.
func lost(ctx context.Context, body *watched, err error) error {
	begun, reading := body.state()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case reading != nil:
		return reading
	case context.Cause(body.ctx) != nil:
		return retry.Transient(context.Cause(body.ctx))
	case begun, errors.Is(err, errSignIn), Broken(err):
		return retry.Transient(err)
	}
	return err
}

// refused decides whether a refusal is worth another try.
func (s *sending) refused(resp *http.Response, err error) error {
	switch status := resp.StatusCode; {
	case passes(status):
		if wait := hint(resp.Header.Get("Retry-After")); wait <= longestWait {
			return retry.After(err, wait)
		}
	case status == http.StatusNotFound, status == http.StatusRequestedRangeNotSatisfiable,
		status == http.StatusBadRequest && s.offset > 0: // the session is gone, or was gone on with in vain
		s.session = ""
		return retry.Transient(err)
	case status == http.StatusBadRequest && !s.doubted:
		s.session, s.doubted = "", true // once: the bytes may have been broken on the way
		return retry.Transient(err)
	}
	return err
}

// open opens the blob where the transfer goes on.
func (s *sending) open(ctx context.Context) (io.ReadCloser, error) {
	content, err := s.blob.Open(ctx)
	if err != nil || s.offset == 0 {
		return content, err
	}
	if seeker, ok := content.(io.Seeker); ok {
		_, err = seeker.Seek(s.offset, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, content, s.offset)
	}
	if err != nil {
		content.Close()
		return nil, err
	}
	return content, nil
}
