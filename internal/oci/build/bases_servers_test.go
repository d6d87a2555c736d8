//go:build servers

package build_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/deploy-action/deploy-action/internal/testkit/imagetree"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// pushBases puts the images that the corpus is built on into a registry.
func pushBases(t *testing.T, registry string) {
	t.Helper()
	busybox, err := io.ReadAll(servers.BusyboxRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	debian, err := os.ReadFile(servers.Debian(t))
	if err != nil {
		t.Fatal(err)
	}
	shell := v1.Config{Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, Cmd: []string{"sh"}}
	full := shell
	full.Env = append(full.Env[:1:1], "LANG=C.UTF-8")
	full.Entrypoint, full.Cmd, full.User, full.WorkingDir = []string{"/entry"}, []string{"default"}, "65534:65534", "/srv/app"
	full.Labels = map[string]string{"base": "full", "kept": "yes"}
	full.ExposedPorts, full.Volumes = map[string]struct{}{"80/tcp": {}}, map[string]struct{}{"/data": {}}
	full.StopSignal, full.Shell = "SIGQUIT", []string{"/bin/sh", "-ec"}
	full.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", "true"}, Interval: 5e9, Retries: 2}
	triggers := shell
	triggers.OnBuild = []string{"ARG FROM_TRIGGER=1", "COPY app /app", "RUN echo $FROM_TRIGGER > /triggered", "WORKDIR /app"}
	compiler := v1.Config{Env: []string{"PATH=/usr/local/go/bin:/bin", "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod"}}
	for reference, image := range map[string]v1.Image{
		"busybox:1":   baseImage(t, shell, busybox),
		"debian:12":   baseImage(t, shell, debian),
		"full:1":      baseImage(t, full, busybox),
		"onbuild:1":   baseImage(t, triggers, busybox),
		"traps:1":     baseImage(t, shell, busybox, pack(t, lowerTraps), pack(t, upperTraps)),
		"nolayers:1":  baseImage(t, v1.Config{Env: []string{"A=1"}}),
		"nohistory:1": withoutHistory(t, baseImage(t, shell, busybox)),
		"bare:1":      baseImage(t, shell, busyboxOnly(t)),
		"go:1":        baseImage(t, compiler, goOnly(t)),
	} {
		parsed, err := name.ParseReference(registry+"/library/"+reference, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(parsed, image, remote.WithContext(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
}

// serveDownloads returns the address of a server of what the corpus downloads.
func serveDownloads(t *testing.T) string {
	t.Helper()
	compressed := &bytes.Buffer{}
	zip := gzip.NewWriter(compressed)
	if _, err := zip.Write(pack(t, lowerTraps[:2])); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServerFS(fstest.MapFS{
		"tool": {Data: []byte("tool")}, "value": {Data: []byte("value")}, "archive.tar.gz": {Data: compressed.Bytes()},
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// baseImage makes an image of archives.
func baseImage(t *testing.T, config v1.Config, archives ...[]byte) v1.Image {
	t.Helper()
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: config})
	if err != nil {
		t.Fatal(err)
	}
	for _, archive := range archives {
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, tarball.WithCompressedCaching)
		if err != nil {
			t.Fatal(err)
		}
		image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "base"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return image
}

// withoutHistory is what some tools make: layers that no history tells of.
func withoutHistory(t *testing.T, image v1.Image) v1.Image {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.History = nil
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

func pack(t *testing.T, entries []tar.Header) []byte {
	t.Helper()
	archive := &bytes.Buffer{}
	writer := tar.NewWriter(archive)
	for _, header := range entries {
		if header.Typeflag == tar.TypeReg && !strings.Contains(header.Name, ".wh.") {
			header.Size = int64(len(header.Name))
		}
		if err := writer.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if header.Size > 0 {
			if _, err := io.WriteString(writer, header.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// lowerTraps and upperTraps are two layers with all that a layer may hold. The
// content of a file is its name.
var (
	lowerTraps = []tar.Header{
		{Typeflag: tar.TypeDir, Name: "usr/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "usr/lib/", Mode: 0o755},
		{Typeflag: tar.TypeSymlink, Name: "lib", Linkname: "usr/lib"},
		{Typeflag: tar.TypeSymlink, Name: "absolute", Linkname: "/usr/lib"},
		{Typeflag: tar.TypeSymlink, Name: "loop", Linkname: "loop"},
		{Typeflag: tar.TypeSymlink, Name: "outside", Linkname: "../../../../etc"},
		{Typeflag: tar.TypeSymlink, Name: "dangling", Linkname: "made/later"},
		{Typeflag: tar.TypeReg, Name: "usr/lib/a", Mode: 0o644},
		{Typeflag: tar.TypeLink, Name: "usr/lib/b", Linkname: "usr/lib/a", Mode: 0o644},
		{Typeflag: tar.TypeLink, Name: "c", Linkname: "usr/lib/a", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "setuid", Mode: 0o4755},
		{Typeflag: tar.TypeReg, Name: "owned", Mode: 0o640, Uid: 1000, Gid: 2000},
		{Typeflag: tar.TypeDir, Name: "sticky/", Mode: 0o1777},
		{Typeflag: tar.TypeReg, Name: "xattr", Mode: 0o644, PAXRecords: map[string]string{"SCHILY.xattr.user.color": "blue\x00\xff"}},
		{Typeflag: tar.TypeFifo, Name: "pipe", Mode: 0o600},
		{Typeflag: tar.TypeChar, Name: "null", Mode: 0o666, Devmajor: 1, Devminor: 3},
		{Typeflag: tar.TypeDir, Name: "gone/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "gone/x", Mode: 0o644},
		{Typeflag: tar.TypeDir, Name: "opaque/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "opaque/old", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "becomes-folder", Mode: 0o644},
		{Typeflag: tar.TypeDir, Name: "becomes-file/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "becomes-file/x", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "naïve ☃ name", Mode: 0o644},
	}
	upperTraps = []tar.Header{
		{Typeflag: tar.TypeReg, Name: ".wh.gone", Mode: 0o644},
		{Typeflag: tar.TypeDir, Name: "opaque/", Mode: 0o700},
		{Typeflag: tar.TypeReg, Name: "opaque/.wh..wh..opq", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "opaque/new", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: ".wh.becomes-folder", Mode: 0o644},
		{Typeflag: tar.TypeDir, Name: "becomes-folder/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "becomes-folder/x", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "becomes-file", Mode: 0o644},
	}
)

// busyboxOnly is a root with one program and one link to it, and without the
// folders that are mounted on.
func busyboxOnly(t *testing.T) []byte {
	t.Helper()
	archive := &bytes.Buffer{}
	writer := tar.NewWriter(archive)
	if err := imagetree.AddFile(writer, "/bin/busybox", "bin/busybox"); err != nil {
		t.Fatal(err)
	}
	if err := writer.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/sh", Linkname: "busybox"}); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// goOnly is a root with a shell and what of this machine's Go compiles a program
// that imports nothing.
func goOnly(t *testing.T) []byte {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("looking for Go: %v", err)
	}
	goroot := strings.TrimSpace(string(root))
	archive := &bytes.Buffer{}
	writer := tar.NewWriter(archive)
	err = errors.Join(
		writer.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}),
		imagetree.AddFile(writer, "/bin/busybox", "bin/sh"),
	)
	for _, name := range strings.Fields("go.env VERSION bin/go pkg/include src/internal src/math src/runtime src/unsafe") {
		err = errors.Join(err, addFiles(writer, filepath.Join(goroot, name), filepath.Join("usr/local/go", name)))
	}
	for _, name := range strings.Fields("asm compile link") {
		tool := filepath.Join("pkg/tool", runtime.GOOS+"_"+runtime.GOARCH, name)
		err = errors.Join(err, imagetree.AddFile(writer, filepath.Join(goroot, tool), filepath.Join("usr/local/go", tool)))
	}
	if err := errors.Join(err, writer.Close()); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// addFiles adds a file, or all in a folder but tests.
func addFiles(archive *tar.Writer, from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "testdata" {
			return filepath.SkipDir
		}
		name, err := filepath.Rel(from, path)
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		return imagetree.AddFile(archive, path, filepath.Join(to, name))
	})
}
