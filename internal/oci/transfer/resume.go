package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// resumeFrom is the size from which on an answer is worth going on with.
const resumeFrom = 1 << 20

// fruitless is how many connections in a row may bring nothing.
const fruitless = 3

// resumable reports whether the rest of an answer can be asked for.
func resumable(req *http.Request, resp *http.Response) bool {
	return req.Method == http.MethodGet && req.Header.Get("Range") == "" &&
		resp.StatusCode == http.StatusOK && resp.ContentLength >= resumeFrom && !resp.Uncompressed
}

// body is the body of an answer. Where its connection breaks, another one
// brings the rest.
type body struct {
	from      io.ReadCloser
	read      int64
	size      int64
	request   *http.Request
	transport Transport

	broken error // why from brings no more
	idle   int   // how many connections brought nothing since the last byte
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	for {
		if b.broken != nil {
			if err := b.reopen(); err != nil {
				return 0, err
			}
		}
		n, err := b.from.Read(p)
		b.read += int64(n)
		switch {
		case err == nil, errors.Is(err, io.EOF) && b.read == b.size:
			return n, err
		case !Broken(err) || context.Cause(b.request.Context()) != nil:
			return n, err
		case n > 0:
			b.idle = 0
		}
		b.broken = err
		if n > 0 {
			return n, nil
		}
	}
}

// reopen asks for what is missing.
func (b *body) reopen() error {
	if b.idle++; b.idle > fruitless {
		return b.broken
	}
	b.from.Close()
	ctx := b.request.Context()
	rest := b.request.Clone(ctx)
	rest.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", b.read, b.size-1))
	if err := retry.Sleep(ctx, pause); err != nil {
		return err
	}
	resp, err := b.transport.repeat(rest)
	if err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusPartialContent:
		var first int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-", &first); err != nil || first != b.read {
			discard(resp)
			return b.broken
		}
	case http.StatusOK:
		if _, err := io.CopyN(io.Discard, resp.Body, b.read); err != nil {
			resp.Body.Close()
			b.from = http.NoBody
			return err
		}
	default:
		discard(resp)
		b.from = http.NoBody
		return b.broken
	}
	b.from, b.broken = resp.Body, nil
	return nil
}

// Close implements [io.Closer].
func (b *body) Close() error { return b.from.Close() }
