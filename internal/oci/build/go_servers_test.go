//go:build servers

package build_test

import (
	"archive/tar"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/testkit/imagetree"
)

// TestGoBuild compiles a program in a RUN, on an image with this machine's Go,
// and runs what comes out. The second time, a cache mount has the compiled
// packages.
func TestGoBuild(t *testing.T) {
	t.Parallel()
	dir := runDir(t, map[string]string{
		"Dockerfile": "ARG BASE\nFROM $BASE AS build\nWORKDIR /src\nCOPY go.mod ./\nRUN go mod download\nCOPY main.go ./\n" +
			"RUN --mount=type=cache,target=/cache GOCACHE=/cache CGO_ENABLED=0 go build -trimpath -o /app .\n" +
			"FROM scratch\nCOPY --from=build /app /app\nENTRYPOINT [\"/app\"]\n",
		"go.mod":  "module example.com/hello\n\ngo 1.26\n",
		"main.go": "package main\n\nimport \"net/http\"\n\nfunc main() { println(\"hello\", http.StatusText(200)) }\n",
	})
	req := runRequest(t, dir)
	var base string
	base, req.Client = pushGo(t)
	req.Args = map[string]string{"BASE": base}
	var first string
	for _, which := range []string{"without a cache", "with a cache"} {
		began := time.Now()
		result, err := build.Build(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f s", which, time.Since(began).Seconds())
		if first == "" {
			first = result.Digest
		}
		if result.Digest != first {
			t.Errorf("%s the image is %s, and was %s", which, result.Digest, first)
		}
	}
	image, err := req.Client.Fetch(t.Context(), artifact.Image{Layout: req.Layout.Dir(), Digest: first}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := oci.Unpack(t.Context(), image, root); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(filepath.Join(root, "app")).CombinedOutput()
	if err != nil || string(output) != "hello OK\n" {
		t.Errorf("the program says %q, %v", output, err)
	}
}

// pushGo puts an image with a shell and Go into a registry in memory.
func pushGo(t *testing.T) (name string, client oci.Client) {
	t.Helper()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("looking for Go: %v", err)
	}
	config := v1.Config{Env: []string{"PATH=/usr/local/go/bin:/bin", "GOTOOLCHAIN=local"}}
	return pushImage(t, config, func(_ context.Context, archive *tar.Writer) error {
		if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
			return err
		}
		if err := imagetree.AddFile(archive, "/bin/busybox", "bin/sh"); err != nil {
			return err
		}
		return imagetree.AddGo(archive, strings.TrimSpace(string(goroot)))
	})
}
