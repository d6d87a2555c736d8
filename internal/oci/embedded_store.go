package oci

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// store keeps what an embedded registry holds:
//
//	blobs/sha256/HEX                  blobs, shared by all repositories
//	repositories/NAME/_manifests/HEX  manifests, by digest
//	repositories/NAME/_tags/TAG       the digest that a tag names
//	uploads/ID                        blobs on their way in
//
// No part of a repository's name begins with an underscore. Files appear whole,
// by renaming, so processes need no lock among them.
type store struct{ dir string }

// staleUpload is the age at which an upload counts as given up.
const staleUpload = 24 * time.Hour

func openStore(dir string) (*store, error) {
	s := &store{dir}
	for _, folder := range []string{s.blobDir(), s.uploadDir()} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	uploads, err := os.ReadDir(s.uploadDir())
	if err != nil {
		return nil, err
	}
	for _, upload := range uploads {
		if info, err := upload.Info(); err == nil && time.Since(info.ModTime()) > staleUpload {
			// Another process may clean up at the same moment.
			_ = os.Remove(filepath.Join(s.uploadDir(), upload.Name()))
		}
	}
	return s, nil
}

func (s *store) blobDir() string   { return filepath.Join(s.dir, "blobs", "sha256") }
func (s *store) uploadDir() string { return filepath.Join(s.dir, "uploads") }

func (s *store) repoDir(repo string) string {
	return filepath.Join(s.dir, "repositories", filepath.FromSlash(repo))
}

// readManifest returns a manifest by tag or digest.
func (s *store) readManifest(repo, reference string) ([]byte, error) {
	hash, err := v1.NewHash(reference)
	if err != nil {
		if !validTag(reference) {
			return nil, fs.ErrNotExist
		}
		digest, err := os.ReadFile(filepath.Join(s.repoDir(repo), "_tags", reference))
		if err != nil {
			return nil, err
		}
		if hash, err = v1.NewHash(string(digest)); err != nil {
			return nil, fmt.Errorf("reading tag %q: %w", reference, err)
		}
	}
	return os.ReadFile(filepath.Join(s.repoDir(repo), "_manifests", hash.Hex))
}

// writeManifest stores a manifest and lets a tag name it, unless reference is
// its digest.
func (s *store) writeManifest(repo, reference string, data []byte) error {
	digest := hashOf(data)
	byDigest, err := v1.NewHash(reference)
	isTag := err != nil
	if isTag && !validTag(reference) {
		return &apiError{http.StatusBadRequest, transport.TagInvalidErrorCode, "the tag is not valid"}
	}
	if !isTag && byDigest != digest {
		return &apiError{http.StatusBadRequest, transport.DigestInvalidErrorCode, "the manifest has another digest"}
	}
	if err := writeNew(filepath.Join(s.repoDir(repo), "_manifests", digest.Hex), data); err != nil {
		return err
	}
	if isTag {
		return writeNew(filepath.Join(s.repoDir(repo), "_tags", reference), []byte(digest.String()))
	}
	return nil
}

// writeNew writes a file in a folder that may not exist yet.
func writeNew(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return replaceFile(path, data)
}

// tags lists the tags of a repository in alphabetical order.
func (s *store) tags(repo string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.repoDir(repo), "_tags"))
	if err != nil {
		return nil, err
	}
	tags := []string{}
	for _, entry := range entries {
		if validTag(entry.Name()) { // not a file on its way
			tags = append(tags, entry.Name())
		}
	}
	return tags, nil
}

func (s *store) blobPath(digest string) (string, error) {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return "", fs.ErrNotExist
	}
	return filepath.Join(s.blobDir(), hash.Hex), nil
}

func (s *store) hasBlob(digest string) bool {
	path, err := s.blobPath(digest)
	if err == nil {
		_, err = os.Stat(path)
	}
	return err == nil
}

// openBlob opens a blob; the caller closes it.
func (s *store) openBlob(digest string) (*os.File, int64, error) {
	path, err := s.blobPath(digest)
	if err != nil {
		return nil, 0, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// uploadPath is safe for every ID: it keeps only what [rand.Text] can make.
func (s *store) uploadPath(id string) string {
	if id == "" || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		id = "none"
	}
	return filepath.Join(s.uploadDir(), id)
}

func (s *store) beginUpload() (id string, err error) {
	id = rand.Text()
	return id, os.WriteFile(s.uploadPath(id), nil, 0o600)
}

// appendUpload adds to an upload and returns its size.
func (s *store) appendUpload(id string, content io.Reader) (int64, error) {
	file, err := os.OpenFile(s.uploadPath(id), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return 0, err
	}
	return info.Size(), file.Close()
}

// endUpload makes an upload the blob of that digest, if it is.
func (s *store) endUpload(id string, digest v1.Hash) error {
	path := s.uploadPath(id)
	file, err := os.Open(path)
	if err != nil {
		return unknownUpload(err)
	}
	got, _, err := v1.SHA256(file)
	file.Close()
	if err != nil {
		return err
	}
	if got != digest {
		return errors.Join(
			&apiError{http.StatusBadRequest, transport.DigestInvalidErrorCode, "the blob has another digest"},
			os.Remove(path))
	}
	if err := os.Chmod(path, 0o644); err != nil {
		return err
	}
	return os.Rename(path, filepath.Join(s.blobDir(), digest.Hex))
}
