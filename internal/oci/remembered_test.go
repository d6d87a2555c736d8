package oci_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// TestRemembered reads an image whose manifest and configuration are known.
func TestRemembered(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, nil)
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
	pushed, err := registry.client.Push(t.Context(), registry.request(image, "v1"))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := registry.client.Resolve(t.Context(), artifact.Image{Repository: pushed.Repository, Tag: "v1"})
	if err != nil || digest != image.Digest {
		t.Errorf("Resolve = %s, %v; want %s", digest, err, image.Digest)
	}
	if _, err := registry.client.Resolve(t.Context(), artifact.Image{Repository: pushed.Repository, Tag: "none"}); err == nil {
		t.Error("a tag that names nothing is resolved")
	}
	fetched, err := registry.client.Fetch(t.Context(), pushed, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := fetched.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := fetched.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	from := artifact.Repository{Name: pushed.Repository}
	remembered, err := registry.client.Remembered(t.Context(), from, manifest, config)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "1"}, contentOf(t, remembered)); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	if got, err := remembered.Digest(); err != nil || got.String() != image.Digest {
		t.Errorf("its digest is %s, %v; want %s", got, err, image.Digest)
	}
	if _, err := registry.client.Remembered(t.Context(), from, manifest, append(config, ' ')); err == nil {
		t.Error("a configuration that does not fit is accepted")
	}
}
