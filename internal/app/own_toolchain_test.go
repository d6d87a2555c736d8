//go:build servers

package app_test

import (
	"archive/tar"
	"context"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
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
		return writeToolchain(t, &toolchain{archive})
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

// toolchain is the archive of such an image.
type toolchain struct{ *tar.Writer }

// writeToolchain writes the files of the image.
func writeToolchain(t *testing.T, to *toolchain) error {
	t.Helper()
	if err := to.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return err
	}
	if err := to.file("/bin/busybox", "bin/busybox"); err != nil {
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
		if err := to.file(path, strings.TrimPrefix(path, "/")); err != nil {
			return err
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	return to.compiler(strings.TrimSpace(string(root)))
}

// compiler adds what of a Go installation is needed to compile.
func (c *toolchain) compiler(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && (name == "test" || name == "api" || name == "doc" || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		return c.file(path, filepath.Join("usr/local/go", name))
	})
}

// file adds one file of this machine.
func (c *toolchain) file(path, name string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := c.WriteHeader(&tar.Header{Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm())}); err != nil {
		return err
	}
	_, err = io.Copy(c, file)
	return err
}
