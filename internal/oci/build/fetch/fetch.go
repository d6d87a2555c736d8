// Package fetch brings what ADD names by a URL into a folder: one file over
// HTTP, or the files of a git repository. It unpacks no archive, keeps no cache
// and runs no program.
package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// longestPause bounds what a server may ask us to wait.
const longestPause = 30 * time.Second

// refused is a problem with an ADD of a URL.
func refused(detail string, err error) error {
	return &diag.Problem{Summary: "ADD of a URL did not work", Detail: detail, Err: err}
}

// again marks an error of the network as worth another try, unless it would be
// the same.
func again(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if _, ok := errors.AsType[*diag.Problem](err); ok {
		return err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return err
	}
	return retry.Transient(err)
}

// pause is how long an answer asks us to wait; 0 is as we like.
func pause(answer *http.Response) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(answer.Header.Get("Retry-After")))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestPause)
}
