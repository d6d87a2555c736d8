package untar_test

import (
	"archive/tar"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestApplyContents unpacks files of all sizes around those of a piece, each
// name twice, each file with a second name: what was meant for the first file of
// a name is not in the second.
func TestApplyContents(t *testing.T) {
	t.Parallel()
	const piece = 256 << 10
	when := time.Unix(1234567890, 0)
	var entries []tar.Header
	want := map[string]string{}
	add := func(name, content string) {
		entries = append(entries, tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o640, ModTime: when, Linkname: content})
		want[name] = content
	}
	for folder := range 3 {
		entries = append(entries, tar.Header{Typeflag: tar.TypeDir, Name: fmt.Sprintf("d%d", folder), Mode: 0o755, ModTime: when})
		for i, size := range []int{0, 1, 511, piece - 1, piece, piece + 1, 3 * piece, 0, 100, 700} {
			name := fmt.Sprintf("d%d/f%d", folder, i)
			add(name, strings.Repeat("old", size))
			add(name, strings.Repeat(string(rune('a'+i)), size))
			entries = append(entries, hard(name+"-link", name))
			want[name+"-link"] = want[name]
		}
		for i := range 100 {
			add(fmt.Sprintf("d%d/small%d", folder, i), fmt.Sprint("content ", i))
		}
		zeros := strings.Repeat("\x00", piece)
		add(fmt.Sprintf("d%d/hole", folder), zeros+"x"+zeros+zeros+zeros)
		add(fmt.Sprintf("d%d/empty", folder), zeros[:10])
	}
	root := t.TempDir()
	if err := apply(t, root, archive(t, entries...)); err != nil {
		t.Fatal(err)
	}
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || string(got) != content {
			t.Errorf("%s has %d bytes, %v; want %d", name, len(got), err, len(content))
		}
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || !info.ModTime().Equal(when) || info.Mode() != 0o640 {
			t.Errorf("%s is %v, %v; want the mode and the time of its entry", name, info, err)
		}
	}
	for folder := range 3 {
		info, err := os.Stat(filepath.Join(root, fmt.Sprintf("d%d", folder)))
		if err != nil || !info.ModTime().Equal(when) {
			t.Errorf("folder %d is %v, %v; want the time of its entry", folder, info, err)
		}
	}
}

// TestApplyDeepFolders goes down further than folders are kept open, and up and
// down again; folders that are open become others meanwhile.
func TestApplyDeepFolders(t *testing.T) {
	t.Parallel()
	when := time.Unix(1234567890, 0)
	deep := strings.TrimSuffix(strings.Repeat("d/", 100), "/")
	at := func(name string) tar.Header {
		return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: when}
	}
	entries := []tar.Header{
		at(deep), reg(deep+"/a", "1"), reg("d/b", "2"), reg(deep+"/c", "3"), reg(deep[:len(deep)-2]+"/e", "4"),
		at("x/y/z"), reg("x/y/z/a", "old"), reg("x/y", "a file"), reg("x/y/z/b", "new"),
		at("s"), at("s/t"), reg("s/t/a", "1"), sym("s", "x"), reg("s/t/b", "2"),
	}
	root := t.TempDir()
	if err := apply(t, root, archive(t, entries...)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		deep + "/a": "1", "d/b": "2", deep + "/c": "3", deep[:len(deep)-2] + "/e": "4",
		"x/": "", "x/y/": "", "x/y/z/": "", "x/y/z/b": "new", "x/t/": "", "x/t/b": "2", "s": "→ x",
	}
	for name := deep; name != "."; name = filepath.Dir(name) {
		want[name+"/"] = ""
	}
	got := listing(t, root)
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is %q, want %q", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("there are %d entries, want %d", len(got), len(want))
	}
	info, err := os.Stat(filepath.Join(root, deep))
	if err != nil || !info.ModTime().Equal(when) {
		t.Errorf("the deepest folder is %v, %v; want the time of its entry", info, err)
	}
	if info, err = os.Stat(filepath.Join(root, "x")); err != nil || info.ModTime().Equal(when) {
		t.Errorf("x is %v, %v; want that it has not the time of a folder which became a link to it", info, err)
	}
}
