package oci_test

import (
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseReference(t *testing.T) {
	t.Parallel()
	tests := map[string]artifact.Image{
		"nginx":                            {Repository: "nginx", Tag: "latest"},
		"nginx:1.29":                       {Repository: "nginx", Tag: "1.29"},
		"localhost:5000/web":               {Repository: "localhost:5000/web", Tag: "latest"},
		"localhost:5000/web:v1":            {Repository: "localhost:5000/web", Tag: "v1"},
		"ghcr.io/acme/web@" + digest:       {Repository: "ghcr.io/acme/web", Digest: digest},
		"ghcr.io/acme/web:1.4@" + digest:   {Repository: "ghcr.io/acme/web", Tag: "1.4", Digest: digest},
		"127.0.0.1:5000/web:v1@" + digest:  {Repository: "127.0.0.1:5000/web", Tag: "v1", Digest: digest},
		"registry.example.com/a/b/c:x-1_y": {Repository: "registry.example.com/a/b/c", Tag: "x-1_y"},
	}
	for text, want := range tests {
		got, err := oci.ParseReference(text)
		if err != nil || got != want {
			t.Errorf("ParseReference(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":v1", "Nginx", "a b", "web:", "web:.x", "web@sha256:12", "http://x/y", "web:" + digest} {
		if got, err := oci.ParseReference(text); err == nil {
			t.Errorf("ParseReference(%q) = %+v, want a problem", text, got)
		}
	}
}

func FuzzParseReference(f *testing.F) {
	for _, text := range []string{"nginx", "localhost:5000/web:v1@" + digest, "a/b:c", "::", "@", "a@b@c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		image, err := oci.ParseReference(text)
		if err != nil {
			return
		}
		again, err := oci.ParseReference(image.Reference())
		if err != nil || again != image {
			t.Errorf("ParseReference(%q) = %+v, but reading its own %q gives %+v, %v", text, image, image.Reference(), again, err)
		}
	})
}
