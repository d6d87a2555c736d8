package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Referrers returns the index of the manifests that name a digest as their
// subject, or its first page where the registry answers in pages. Its error is
// [errors.ErrUnsupported] where the registry does not know the question.
func (r *Repository) Referrers(ctx context.Context, digest string) ([]byte, error) {
	resp, err := r.ask(ctx, http.MethodGet, "/referrers/"+digest, func(h http.Header) { h.Set("Accept", string(types.OCIImageIndex)) })
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	// The protocol asks for 404 where the question is not known. Others are in use.
	unknown := []int{http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented}
	if slices.Contains(unknown, resp.StatusCode) {
		return nil, fmt.Errorf("asking what refers to %s: %w", digest, errors.ErrUnsupported)
	}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), string(types.OCIImageIndex)) {
		return nil, fmt.Errorf("asking what refers to %s: %w", digest, errors.ErrUnsupported)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxManifest))
}
