package oci

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// referrers lists the manifests whose subject is a digest.
func (a api) referrers(w http.ResponseWriter, r *http.Request, repo, digest string) error {
	if r.Method != http.MethodGet {
		return methodNotAllowed(r)
	}
	if _, err := v1.NewHash(digest); err != nil {
		return &apiError{http.StatusBadRequest, transport.DigestInvalidErrorCode, "the digest is not valid"}
	}
	found, err := a.store.referrers(repo, digest)
	if err != nil {
		return err
	}
	if wanted := r.URL.Query().Get("artifactType"); wanted != "" {
		found = slices.DeleteFunc(found, func(d v1.Descriptor) bool { return d.ArtifactType != wanted })
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	w.Header().Set("Content-Type", string(types.OCIImageIndex))
	return json.NewEncoder(w).Encode(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: found})
}

// referring is what tells that a manifest, or an index, refers to another.
type referring struct {
	MediaType    types.MediaType   `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Config       v1.Descriptor     `json:"config"`
	Subject      *v1.Descriptor    `json:"subject"`
	Annotations  map[string]string `json:"annotations"`
}

// referrers reads all manifests of a repository: an embedded registry has few,
// and is seldom asked.
func (s *store) referrers(repo, digest string) ([]v1.Descriptor, error) {
	found := []v1.Descriptor{} // an empty list, and not none
	folder := filepath.Join(s.repoDir(repo), "_manifests")
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was on its way
		}
		if err != nil {
			return nil, err
		}
		if subjectOf(data) != digest || entry.Name() != hashOf(data).Hex {
			continue
		}
		var m referring
		if err := json.Unmarshal(data, &m); err != nil {
			continue // which other clients cannot read, either
		}
		found = append(found, v1.Descriptor{
			MediaType: types.MediaType(mediaTypeOf(data)), Digest: hashOf(data), Size: int64(len(data)),
			ArtifactType: cmp.Or(m.ArtifactType, string(m.Config.MediaType)), Annotations: m.Annotations,
		})
	}
	return found, nil
}

// subjectOf returns the digest that a manifest refers to, or "".
func subjectOf(manifest []byte) string {
	var m struct {
		Subject struct {
			Digest string `json:"digest"`
		} `json:"subject"`
	}
	// What is no manifest refers to none.
	_ = json.Unmarshal(manifest, &m)
	return m.Subject.Digest
}
