package servers

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

// Busybox is the name of the image that [DockerEngine.ImportBusybox] makes: a
// shell with the usual tools, "httpd" among them, that serves /www. No test can
// pull an image; this one needs no registry.
const Busybox = "local/busybox:1.35"

// ImportBusybox makes the image [Busybox] in the engine of this machine's
// statically linked busybox. An engine that has it keeps it.
func (e *DockerEngine) ImportBusybox(t *testing.T) {
	t.Helper()
	if _, err := e.Client.ImageInspect(t.Context(), Busybox); err == nil {
		return
	}
	result, err := e.Client.ImageImport(t.Context(), client.ImageImportSource{Source: BusyboxRoot(t), SourceName: "-"}, Busybox,
		client.ImageImportOptions{Changes: []string{`CMD ["/bin/sh"]`, "ENV PATH=/bin"}})
	if err != nil {
		t.Fatalf("importing %s: %v", Busybox, err)
	}
	defer result.Close()
	if _, err := io.Copy(io.Discard, result); err != nil {
		t.Fatalf("importing %s: %v", Busybox, err)
	}
}

// BusyboxRoot packs the root folder of the image [Busybox] as an archive, for
// other kinds of images.
func BusyboxRoot(t *testing.T) io.Reader {
	t.Helper()
	const busybox = "/bin/busybox"
	binary, err := os.ReadFile(busybox)
	if err != nil {
		unavailable(t, "docker", err.Error()+"; testdata/servers/docker/install.sh installs it")
	}
	applets, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		t.Fatalf("listing what busybox can: %v", err)
	}
	archive := &bytes.Buffer{}
	root := tar.NewWriter(archive)
	add := func(header tar.Header, content string) {
		header.Size = int64(len(content))
		if err := root.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(root, content); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"bin", "dev", "etc", "proc", "sys", "tmp", "www"} {
		add(tar.Header{Name: folder, Typeflag: tar.TypeDir, Mode: 0o777}, "")
	}
	add(tar.Header{Name: "bin/busybox", Mode: 0o755}, string(binary))
	for applet := range strings.FieldsSeq(string(applets)) {
		if applet != "busybox" {
			add(tar.Header{Name: path.Join("bin", applet), Typeflag: tar.TypeSymlink, Linkname: "busybox"}, "")
		}
	}
	add(tar.Header{Name: "etc/passwd", Mode: 0o644}, "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
	add(tar.Header{Name: "etc/group", Mode: 0o644}, "root:x:0:\nnobody:x:65534:\n")
	add(tar.Header{Name: "www/index.html", Mode: 0o644}, "hello from busybox\n")
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	return archive
}
