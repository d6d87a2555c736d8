package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// maxManifest is more than any registry takes.
const maxManifest = 8 << 20

// Repository is one repository of a registry. Its methods may run concurrently.
// What it learns about blobs it does not ask again.
type Repository struct {
	host, path string
	signIn     func(context.Context) (http.RoundTripper, error)

	mu     sync.Mutex
	client *http.Client
	known  map[string]bool // by digest: blobs that are there
	empty  bool            // no blob was there when it was asked
}

// Open returns the repository path of a registry. The function signIn is called
// before the first request, and once more when a login is refused that was
// taken before. What it returns should be made of a [Transport].
func Open(host, path string, signIn func(context.Context) (http.RoundTripper, error)) *Repository {
	return &Repository{host: host, path: path, signIn: signIn, known: map[string]bool{}}
}

// Know notes that the repository has blobs.
func (r *Repository) Know(digests ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, digest := range digests {
		r.known[digest] = true
	}
}

// Forget drops all that is known.
func (r *Repository) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known, r.empty = map[string]bool{}, false
}

// LieError says that a registry has other content than what it was sent or
// asked for.
type LieError struct {
	Want, Got string // digests
}

func (e *LieError) Error() string {
	return fmt.Sprintf("the registry names its content %s where %s was sent", e.Got, e.Want)
}

// Manifest returns what a tag or digest names. A refusal is a
// [transport.Error].
func (r *Repository) Manifest(ctx context.Context, reference string, accept ...string) (mediaType string, data []byte, err error) {
	resp, err := r.ask(ctx, http.MethodGet, "/manifests/"+reference, func(h http.Header) { h["Accept"] = accept })
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		r.noteEmpty(err)
		return "", nil, err
	}
	data, err = io.ReadAll(io.LimitReader(resp.Body, maxManifest))
	if err == nil {
		r.Know(blobsOf(data)...) // a registry does not take a manifest before its blobs
	}
	return resp.Header.Get("Content-Type"), data, err
}

// noteEmpty remembers that a registry does not know the repository at all.
func (r *Repository) noteEmpty(err error) {
	refusal, ok := errors.AsType[*transport.Error](err)
	if ok && slices.ContainsFunc(refusal.Errors, func(d transport.Diagnostic) bool { return d.Code == transport.NameUnknownErrorCode }) {
		r.mu.Lock()
		r.empty = true
		r.mu.Unlock()
	}
}

// Put stores a manifest under a tag or digest.
func (r *Repository) Put(ctx context.Context, reference, mediaType, digest string, data []byte) error {
	resp, err := r.do(ctx, true, func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.url("/manifests/"+reference), bytes.NewReader(data))
		if err == nil {
			req.Header.Set("Content-Type", mediaType)
		}
		return req, err
	})
	if err != nil {
		return err
	}
	defer discard(resp)
	if err := transport.CheckError(resp, http.StatusCreated, http.StatusOK, http.StatusAccepted); err != nil {
		return err
	}
	if got := resp.Header.Get("Docker-Content-Digest"); got != "" && got != digest {
		return &LieError{Want: digest, Got: got}
	}
	return nil
}

// Has reports whether the repository has a blob.
func (r *Repository) Has(ctx context.Context, digest string) (bool, error) {
	r.mu.Lock()
	known, empty := r.known[digest], r.empty
	r.mu.Unlock()
	if known || empty {
		return known, nil
	}
	resp, err := r.ask(ctx, http.MethodHead, "/blobs/"+digest, nil)
	if err != nil {
		return false, err
	}
	defer discard(resp)
	if resp.StatusCode == http.StatusOK {
		r.Know(digest)
		return true, nil
	}
	// Some registries say that they may not tell, about a repository that does
	// not exist yet.
	return false, transport.CheckError(resp, http.StatusNotFound, http.StatusForbidden)
}

// ask sends a request without a body.
func (r *Repository) ask(ctx context.Context, method, below string, header func(http.Header)) (*http.Response, error) {
	return r.do(ctx, true, func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, method, r.url(below), nil)
		if err == nil && header != nil {
			header(req.Header)
		}
		return req, err
	})
}

func (r *Repository) url(below string) string {
	// The scheme is the transport's business, which has found out.
	return (&url.URL{Scheme: "https", Host: r.host, Path: "/v2/" + r.path}).String() + below
}

// do sends a request. Where the login is refused that was good before, and if
// it may, it signs in again, once.
func (r *Repository) do(ctx context.Context, may bool, request func() (*http.Request, error)) (*http.Response, error) {
	client, fresh, err := r.signed(ctx, nil)
	if err != nil {
		return nil, err
	}
	resp, err := send(client, request)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || fresh || !may {
		return resp, err
	}
	discard(resp)
	if client, _, err = r.signed(ctx, client); err != nil {
		return nil, err
	}
	return send(client, request)
}

// send makes a request and sends it. The HTTP client's error loses the URL:
// that of an upload holds the state of a session, which is long and may be a key.
func send(client *http.Client, request func() (*http.Request, error)) (*http.Response, error) {
	req, err := request()
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return nil, fmt.Errorf("%s: %w", wrapped.Op, wrapped.Err)
	}
	return resp, err
}

// signed returns a client that is signed in, and whether it is new. One that is
// not wanted any more is replaced.
func (r *Repository) signed(ctx context.Context, refused *http.Client) (client *http.Client, fresh bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil && r.client != refused {
		return r.client, false, nil
	}
	signed, err := r.signIn(ctx)
	if err != nil {
		return nil, false, err
	}
	r.client = &http.Client{Transport: signed}
	return r.client, true, nil
}

// blobsOf lists the blobs that an image's manifest names.
func blobsOf(manifest []byte) []string {
	type blob struct {
		Digest string   `json:"digest"`
		URLs   []string `json:"urls"`
	}
	var image struct {
		Config blob   `json:"config"`
		Layers []blob `json:"layers"`
	}
	// What is no manifest of an image names none.
	if json.Unmarshal(manifest, &image) != nil || image.Config.Digest == "" {
		return nil
	}
	digests := []string{image.Config.Digest}
	for _, layer := range image.Layers {
		if len(layer.URLs) == 0 { // these may be elsewhere
			digests = append(digests, layer.Digest)
		}
	}
	return digests
}
