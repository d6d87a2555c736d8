package untar_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/oci/untar"
)

// hostile makes entries of bytes: each entry is a kind and two paths of few
// elements, so that they meet one another.
func hostile(data []byte) []tar.Header {
	elements := []string{"a", "b", "..", ".", "/", "outside", ".wh.a", ".wh..wh..opq", ".wh..", "victim", "root", "c"}
	kinds := []byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo, tar.TypeReg, tar.TypeSymlink, tar.TypeDir}
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	name := func() (path string) {
		for range 1 + next()%4 {
			path += elements[int(next())%len(elements)] + "/"
		}
		if path = strings.TrimRight(path, "/"); path == "" {
			return "." // no archive can hold the name "/"
		}
		return path
	}
	var entries []tar.Header
	for len(data) > 0 && len(entries) < 40 {
		entries = append(entries, tar.Header{Typeflag: kinds[int(next())%len(kinds)], Name: name(), Linkname: name(), Mode: int64(next()) << 1})
	}
	return entries
}

// FuzzApply looks for layers that reach what is outside the root.
func FuzzApply(f *testing.F) {
	f.Add([]byte("\x02\x01\x00\x01\x02\x05\x00\x01\x00\x09"))
	f.Add([]byte("\x02\x00\x0b\x03\x02\x02\x05\x00\x00\x01\x0b\x09\x00\x00\x00"))
	f.Add([]byte("\x03\x00\x00\x03\x02\x05\x09\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x02\x00\x00\x01\x02\x05\x00\x00\x01\x00\x07\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		base := t.TempDir()
		inside := filepath.Join(base, "root")
		victim := filepath.Join(base, "outside", "victim")
		for _, dir := range []string{inside, filepath.Dir(victim)} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(victim, []byte("good"), 0o600); err != nil {
			t.Fatal(err)
		}
		before, err := os.Stat(victim)
		if err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(inside)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		// Raw bytes, too: no archive may make it panic.
		_ = untar.Apply(t.Context(), root, bytes.NewReader(data))
		// Some entries are refused, and the layer with them; what counts is outside.
		_ = untar.Apply(t.Context(), root, archive(t, hostile(data)...))
		after, err := os.Stat(victim)
		if err != nil || after.Mode() != before.Mode() || !after.ModTime().Equal(before.ModTime()) {
			t.Errorf("the file outside was touched: %v", err)
		}
		if diff := cmp.Diff(map[string]string{"victim": "good"}, listing(t, filepath.Dir(victim))); diff != "" {
			t.Errorf("outside (-want +got):\n%s", diff)
		}
		if entries, err := os.ReadDir(base); err != nil || len(entries) != 2 {
			t.Errorf("beside the root are %v, %v", entries, err)
		}
	})
}
