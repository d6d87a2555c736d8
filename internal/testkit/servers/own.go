package servers

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

// Own is the folder with all files of an image that [DockerEngine.ImportOwn]
// makes, where the program looks for its own.
const Own = "/.deploy-action"

// ImportOwn makes an image that is laid out as that of the action, as
// .ci/image-root does it: everything is in [Own], and links lead there.
// Programs are paths of static ones; they are in the image under their names, in
// Own/bin, and there is a shell.
func (e *DockerEngine) ImportOwn(t *testing.T, name string, programs ...string) {
	t.Helper()
	archive := &bytes.Buffer{}
	if err := writeOwn(tar.NewWriter(archive), programs); err != nil {
		t.Fatalf("making %s: %v", name, err)
	}
	result, err := e.Client.ImageImport(t.Context(), client.ImageImportSource{Source: archive, SourceName: "-"}, name, client.ImageImportOptions{})
	if err != nil {
		t.Fatalf("importing %s: %v", name, err)
	}
	defer result.Close()
	if _, err := io.Copy(io.Discard, result); err != nil {
		t.Fatalf("importing %s: %v", name, err)
	}
}

// writeOwn writes the files of the image.
func writeOwn(to *tar.Writer, programs []string) error {
	own := strings.TrimPrefix(Own, "/")
	for _, dir := range []string{own, own + "/bin", own + "/etc", own + "/tmp", "etc", "usr", "root"} {
		if err := to.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return err
		}
	}
	if err := to.WriteHeader(&tar.Header{Name: "tmp", Typeflag: tar.TypeDir, Mode: 0o1777}); err != nil {
		return err
	}
	for _, path := range append(slices.Clone(programs), "/bin/busybox") {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := addOwn(to, own+"/bin/"+filepath.Base(path), 0o755, content); err != nil {
			return err
		}
	}
	if err := addOwn(to, own+"/etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\n")); err != nil {
		return err
	}
	for link, target := range map[string]string{
		"bin": own + "/bin", "usr/bin": "../" + own + "/bin", "etc/passwd": "../" + own + "/etc/passwd", own + "/bin/sh": "busybox",
	} {
		if err := to.WriteHeader(&tar.Header{Name: link, Typeflag: tar.TypeSymlink, Linkname: target}); err != nil {
			return err
		}
	}
	return to.Close()
}

func addOwn(to *tar.Writer, name string, mode int64, content []byte) error {
	if err := to.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := to.Write(content)
	return err
}

// CompileStatic compiles a program, or with "test", "-c" a test, of the package
// in the working folder, without a C library, and returns its path. Args are
// those of go, less the output.
func CompileStatic(t *testing.T, name string, args ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	compile := exec.CommandContext(t.Context(), "go", slices.Insert(slices.Clone(args), 1, "-o", path)...)
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compiling %s: %v\n%s", name, err, output)
	}
	return path
}
