//go:build servers

package app_test

import (
	"archive/tar"
	"context"
	"net/http"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/testkit/imagetree"
)

// pushToolchain pushes an image with busybox, bash and this machine's Go, and
// returns its name.
func pushToolchain(t *testing.T, registry string) string {
	t.Helper()
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	layer, err := layout.AddLayer(t.Context(), func(_ context.Context, archive *tar.Writer) error {
		return writeToolchain(t, archive)
	})
	if err != nil {
		t.Fatal(err)
	}
	config := v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH,
		Config: v1.Config{Env: []string{"PATH=/usr/local/go/bin:/bin", "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod"}},
	}
	digest, err := layout.AddImage(oci.NewImage{Config: config, Layers: []oci.Layer{layer}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = oci.Client{HTTP: http.DefaultClient}.Push(t.Context(), oci.PushRequest{
		Image: artifact.Image{Layout: layout.Dir(), Digest: digest}, To: artifact.Repository{Name: registry + "/toolchain"}, Tag: "v1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return registry + "/toolchain:v1"
}

// writeToolchain writes the files of the image.
func writeToolchain(t *testing.T, to *tar.Writer) error {
	t.Helper()
	if err := to.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return err
	}
	if err := imagetree.AddFile(to, "/bin/busybox", "bin/busybox"); err != nil {
		return err
	}
	for _, applet := range strings.Fields("sh cat ls id mkdir sleep echo") {
		if err := to.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox"}); err != nil {
			return err
		}
	}
	libraries, err := exec.Command("ldd", "/bin/bash").Output()
	if err != nil {
		return err
	}
	for _, path := range append(regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1), "/bin/bash") {
		if err := imagetree.AddFile(to, path, strings.TrimPrefix(path, "/")); err != nil {
			return err
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	return imagetree.AddGo(to, strings.TrimSpace(string(root)))
}
