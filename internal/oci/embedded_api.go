package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// api answers the part of the OCI distribution protocol that clients need to
// push, pull and list tags: https://github.com/opencontainers/distribution-spec
type api struct{ store *store }

// maxManifest is the size above which registries refuse manifests.
const maxManifest = 4 << 20

// apiError is a refusal in the protocol's terms.
type apiError struct {
	status  int
	code    transport.ErrorCode
	message string
}

func (e *apiError) Error() string { return e.message }

func newAPI(s *store) http.Handler { return api{s} }

// ServeHTTP implements [http.Handler].
func (a api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if r.URL.Path == "/v2/" || r.URL.Path == "/v2" {
		w.WriteHeader(http.StatusOK)
		return
	}
	if err := a.route(w, r, strings.TrimPrefix(r.URL.Path, "/v2/")); err != nil {
		refuse(w, err)
	}
}

// route tells requests apart by path. Repository names have slashes, which the
// patterns of [http.ServeMux] cannot express.
func (a api) route(w http.ResponseWriter, r *http.Request, path string) error {
	handle, repo, rest := a.manifest, "", ""
	if name, ok := strings.CutSuffix(path, "/tags/list"); ok {
		handle, repo = a.tags, name
	} else if name, id, ok := cutLast(path, "/blobs/uploads/"); ok {
		handle, repo, rest = a.upload, name, id
	} else if name, digest, ok := cutLast(path, "/blobs/"); ok {
		handle, repo, rest = a.blob, name, digest
	} else if name, digest, ok := cutLast(path, "/referrers/"); ok {
		handle, repo, rest = a.referrers, name, digest
	} else if name, reference, ok := cutLast(path, "/manifests/"); ok {
		repo, rest = name, reference
	}
	if !validRepository(repo) || strings.Contains(rest, "/") {
		return &apiError{http.StatusNotFound, transport.NameInvalidErrorCode, "no such resource"}
	}
	return handle(w, r, repo, rest)
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return "", "", false
	}
	return text[:i], text[i+len(separator):], true
}

// validRepository is the protocol's rule in short. It also keeps names inside
// the folder: no part is empty or begins with a dot or an underscore.
func validRepository(repo string) bool {
	for part := range strings.SplitSeq(repo, "/") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || strings.ContainsAny(part[:1], "._-") {
			return false
		}
	}
	return true
}

// refuse writes an error as clients expect it.
func refuse(w http.ResponseWriter, err error) {
	refusal, ok := errors.AsType[*apiError](err)
	if !ok {
		refusal = &apiError{http.StatusInternalServerError, transport.UnknownErrorCode, err.Error()}
	}
	w.Header().Del("Content-Length")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(refusal.status)
	// A client that has gone needs no answer.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"errors": []transport.Diagnostic{{Code: refusal.code, Message: refusal.message}},
	})
}

func methodNotAllowed(r *http.Request) error {
	return &apiError{http.StatusMethodNotAllowed, transport.UnsupportedErrorCode, r.Method + " is not supported"}
}

// manifest reads or writes a manifest by tag or digest.
func (a api) manifest(w http.ResponseWriter, r *http.Request, repo, reference string) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		data, err := a.store.readManifest(repo, reference)
		if errors.Is(err, fs.ErrNotExist) {
			return &apiError{http.StatusNotFound, transport.ManifestUnknownErrorCode, "no such manifest"}
		}
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", mediaTypeOf(data))
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Header().Set("Docker-Content-Digest", hashOf(data).String())
		_, err = w.Write(data)
		return err
	case http.MethodPut:
		data, err := io.ReadAll(io.LimitReader(r.Body, maxManifest+1))
		if err != nil {
			return err
		}
		if len(data) > maxManifest || !json.Valid(data) {
			return &apiError{http.StatusBadRequest, transport.ManifestInvalidErrorCode, "the manifest is too large or no JSON"}
		}
		if err := a.store.writeManifest(repo, reference, data); err != nil {
			return err
		}
		if subject := subjectOf(data); subject != "" {
			w.Header().Set("OCI-Subject", subject)
		}
		w.Header().Set("Docker-Content-Digest", hashOf(data).String())
		w.Header().Set("Location", fmt.Sprintf("/v2/%s/manifests/%s", repo, hashOf(data)))
		w.WriteHeader(http.StatusCreated)
		return nil
	}
	return methodNotAllowed(r)
}

// mediaTypeOf reads a manifest's own idea of its type.
func mediaTypeOf(manifest []byte) string {
	var head struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests []any           `json:"manifests"`
	}
	// It was checked to be JSON when it came in.
	_ = json.Unmarshal(manifest, &head)
	switch {
	case head.MediaType != "":
		return string(head.MediaType)
	case head.Manifests != nil:
		return string(types.OCIImageIndex)
	}
	return string(types.OCIManifestSchema1)
}

// blob reads a blob. All repositories share their blobs.
func (a api) blob(w http.ResponseWriter, r *http.Request, _, digest string) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed(r)
	}
	file, size, err := a.store.openBlob(digest)
	if errors.Is(err, fs.ErrNotExist) {
		return &apiError{http.StatusNotFound, transport.BlobUnknownErrorCode, "no such blob"}
	}
	if err != nil {
		return err
	}
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.Header().Set("Docker-Content-Digest", digest)
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	_, err = io.Copy(w, file)
	return err
}

// upload takes a blob: POST begins, PATCH adds, PUT ends. A POST that mounts a
// blob we have, or brings it whole, is all there is.
func (a api) upload(w http.ResponseWriter, r *http.Request, repo, id string) error {
	digest := r.URL.Query().Get("digest")
	switch {
	case r.Method == http.MethodPost && id == "":
		if mount := r.URL.Query().Get("mount"); mount != "" && a.store.hasBlob(mount) {
			return created(w, repo, mount)
		}
		var err error
		if id, err = a.store.beginUpload(); err != nil {
			return err
		}
		if digest != "" {
			return a.finish(w, r, repo, id, digest)
		}
		return accepted(w, repo, id, 0)
	case r.Method == http.MethodPatch && id != "":
		size, err := a.store.appendUpload(id, r.Body)
		if err != nil {
			return unknownUpload(err)
		}
		return accepted(w, repo, id, size)
	case r.Method == http.MethodPut && id != "":
		return a.finish(w, r, repo, id, digest)
	}
	return methodNotAllowed(r)
}

func (a api) finish(w http.ResponseWriter, r *http.Request, repo, id, digest string) error {
	hash, err := v1.NewHash(digest)
	if err != nil || hash.Algorithm != "sha256" {
		return &apiError{http.StatusBadRequest, transport.DigestInvalidErrorCode, "the digest is no sha256"}
	}
	if _, err := a.store.appendUpload(id, r.Body); err != nil {
		return unknownUpload(err)
	}
	if err := a.store.endUpload(id, hash); err != nil {
		return err
	}
	return created(w, repo, digest)
}

func unknownUpload(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &apiError{http.StatusNotFound, transport.BlobUploadUnknownErrorCode, "no such upload"}
	}
	return err
}

func created(w http.ResponseWriter, repo, digest string) error {
	w.Header().Set("Location", fmt.Sprintf("/v2/%s/blobs/%s", repo, digest))
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
	return nil
}

func accepted(w http.ResponseWriter, repo, id string, size int64) error {
	w.Header().Set("Location", fmt.Sprintf("/v2/%s/blobs/uploads/%s", repo, id))
	w.Header().Set("Range", fmt.Sprintf("0-%d", max(0, size-1)))
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// tags lists the tags of a repository.
func (a api) tags(w http.ResponseWriter, r *http.Request, repo, _ string) error {
	if r.Method != http.MethodGet {
		return methodNotAllowed(r)
	}
	tags, err := a.store.tags(repo)
	if errors.Is(err, fs.ErrNotExist) {
		return &apiError{http.StatusNotFound, transport.NameUnknownErrorCode, "no such repository"}
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"name": repo, "tags": tags})
}
