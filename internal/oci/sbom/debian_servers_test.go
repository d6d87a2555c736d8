//go:build servers

package sbom_test

import (
	"archive/tar"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// TestDebian lists the packages of a real system as dpkg does.
func TestDebian(t *testing.T) {
	t.Parallel()
	file, err := os.Open(servers.Debian(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	admin := t.TempDir() // dpkg's folder
	list := scan(t, func(_ context.Context, visit func(int, *tar.Header, io.Reader) error) error {
		archive := tar.NewReader(file)
		for {
			header, err := archive.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			content := io.Reader(archive)
			if filepath.Clean(header.Name) == "var/lib/dpkg/status" {
				data, err := io.ReadAll(archive)
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(admin, "status"), data, 0o600); err != nil {
					return err
				}
				content = strings.NewReader(string(data))
			}
			if err := visit(0, header, content); err != nil {
				return err
			}
		}
	})
	told, err := exec.CommandContext(t.Context(), "dpkg-query", "--admindir="+admin, "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n").Output()
	if err != nil {
		t.Skipf("needs dpkg-query: %v", err)
	}
	var want, got []string
	for line := range strings.Lines(string(told)) {
		if installed, ok := strings.CutPrefix(strings.TrimSpace(line), "installed "); ok {
			want = append(want, installed)
		}
	}
	for _, p := range list.Packages {
		if !strings.HasPrefix(p.PURL, "pkg:deb/debian/") || !strings.Contains(p.PURL, "distro=debian-12") {
			t.Errorf("%s is %s", p.Name, p.PURL)
		}
		got = append(got, p.Name+" "+p.Version)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 50 {
		t.Errorf("packages (-dpkg +ours):\n%s", diff)
	}
	if len(list.Notes) > 0 {
		t.Errorf("notes: %q", list.Notes)
	}
	document(t, list)
}
