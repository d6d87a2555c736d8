package untar_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/untar"
)

// archive makes a layer of headers. The Linkname of a regular file is its
// content; owners that are not given are ours.
func archive(t testing.TB, entries ...tar.Header) *bytes.Buffer {
	t.Helper()
	buffer := &bytes.Buffer{}
	writer := tar.NewWriter(buffer)
	for _, header := range entries {
		content := ""
		if header.Uid == 0 && header.Gid == 0 {
			header.Uid, header.Gid = os.Getuid(), os.Getgid()
		}
		if header.Typeflag == tar.TypeReg {
			content, header.Linkname = header.Linkname, ""
			header.Size = int64(len(content))
		}
		if err := writer.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(writer, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer
}

func dir(name string) tar.Header { return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755} }

func reg(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Linkname: content}
}

func sym(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Mode: 0o777, Linkname: target}
}

func hard(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Mode: 0o644, Linkname: target}
}

// apply applies layers, lowest first.
func apply(t testing.TB, dir string, layers ...io.Reader) error {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, layer := range layers {
		if err := untar.Apply(t.Context(), root, layer); err != nil {
			return err
		}
	}
	return nil
}

// listing returns what is below dir: files with their content, links with
// their target, folders with a slash.
func listing(t testing.TB, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name := strings.TrimPrefix(path, root+"/")
		switch {
		case entry.IsDir():
			found[name+"/"] = ""
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			found[name] = "→ " + target
			return err
		default:
			data, err := os.ReadFile(path)
			found[name] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestApply(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		layers [][]tar.Header
		want   map[string]string
	}{
		"whiteout beside what the same layer has": {
			[][]tar.Header{{reg("a", "1"), reg("d/x", "1")}, {reg("a", "2"), reg(".wh.a", ""), reg("d/y", "2"), reg(".wh.d", "")}},
			map[string]string{"a": "2", "d/": "", "d/y": "2"},
		},
		"whiteout of what is not there": {
			[][]tar.Header{{reg("a", "1"), reg(".wh.b", "")}},
			map[string]string{"a": "1"},
		},
		"opaque marker behind the folder's new content": {
			[][]tar.Header{
				{reg("d/old", "1"), reg("d/sub/old", "1"), reg("d/sub/deep/old", "1"), reg("other", "1")},
				{dir("d"), reg("d/new", "2"), reg("d/sub/deep/new", "2"), reg("d/.wh..wh..opq", "")},
			},
			map[string]string{"d/": "", "d/new": "2", "d/sub/": "", "d/sub/deep/": "", "d/sub/deep/new": "2", "other": "1"},
		},
		"opaque marker before it": {
			[][]tar.Header{{reg("d/sub/old", "1")}, {reg("d/.wh..wh..opq", ""), reg("d/sub/new", "2")}},
			map[string]string{"d/": "", "d/sub/": "", "d/sub/new": "2"},
		},
		"notes of old engines": {
			[][]tar.Header{{reg(".wh..wh.aufs", "x"), dir(".wh..wh.plnk"), reg(".wh..wh.plnk/1.2", "x"), reg("a", "1")}},
			map[string]string{"a": "1"},
		},
		"folder to file and back": {
			[][]tar.Header{{dir("a"), reg("a/x", "1")}, {reg("a", "2")}, {reg("a/y", "3")}},
			map[string]string{"a/": "", "a/y": "3"},
		},
		"the same name twice": {
			[][]tar.Header{{reg("a", "1"), reg("a", "2"), dir("b"), reg("b/x", "1"), sym("b", "a"), sym("b", "c"), dir("b"), dir("b")}},
			map[string]string{"a": "2", "b/": ""},
		},
		"folder takes the place of a link, and its target stays": {
			[][]tar.Header{{reg("usr/a", "1"), sym("lib", "usr")}, {dir("lib"), reg("lib/b", "2")}},
			map[string]string{"usr/": "", "usr/a": "1", "lib/": "", "lib/b": "2"},
		},
		"steps up from behind a link are those of its target": {
			[][]tar.Header{{dir("x/y"), sym("l", "x/y"), sym("up", "l/../z"), reg("up/f", "1")}},
			map[string]string{"x/": "", "x/y/": "", "x/z/": "", "x/z/f": "1", "l": "→ x/y", "up": "→ l/../z"},
		},
		"a folder is replaced while a file in it was the last one": {
			[][]tar.Header{{reg("d/a", "1"), sym("d", "e"), reg("d/b", "2")}},
			map[string]string{"d": "→ e", "e/": "", "e/b": "2"},
		},
		"hard link replaces a file, through a link of an earlier layer": {
			[][]tar.Header{{reg("usr/a", "1"), sym("lib", "usr"), reg("h", "old")}, {hard("h", "lib/a"), hard("lib/b", "/usr/a")}},
			map[string]string{"usr/": "", "usr/a": "1", "usr/b": "1", "lib": "→ usr", "h": "1"},
		},
		"long names": {
			[][]tar.Header{{reg(strings.Repeat("long/", 60)+strings.Repeat("n", 200), "1"), sym("s", strings.Repeat("t", 300))}},
			longNames(),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for _, entries := range test.layers {
				if err := apply(t, root, archive(t, entries...)); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, listing(t, root)); diff != "" {
				t.Errorf("unpacked (-want +got):\n%s", diff)
			}
		})
	}
}

func longNames() map[string]string {
	want := map[string]string{"s": "→ " + strings.Repeat("t", 300)}
	for i := range 60 {
		want[strings.Repeat("long/", i+1)] = ""
	}
	want[strings.Repeat("long/", 60)+strings.Repeat("n", 200)] = "1"
	return want
}

func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		entries []tar.Header
		want    string
	}{
		"whiteout of the folder":        {[]tar.Header{reg("d/.wh..", "")}, `writing "d/.wh..": a layer cannot remove "."`},
		"whiteout of its parent":        {[]tar.Header{reg("d/.wh...", "")}, `writing "d/.wh...": a layer cannot remove ".."`},
		"whiteout of nothing":           {[]tar.Header{reg("d/.wh.", "")}, `writing "d/.wh.": a layer cannot remove ""`},
		"folder named as a whiteout":    {[]tar.Header{reg("d/.wh.x/y", "")}, `writing "d/.wh.x/y": it is in a folder with the name of a whiteout`},
		"loop of links":                 {[]tar.Header{sym("a", "b"), sym("b", "a"), reg("a/x", "")}, `writing "a/x": following "a": too many links`},
		"link that grows":               {[]tar.Header{sym("a", "a/a"), reg("a/x", "")}, `writing "a/x": following "a": too many links`},
		"file as the root":              {[]tar.Header{reg("x/..", "")}, `the root can only be a folder`},
		"hard link to nothing":          {[]tar.Header{hard("a", "b")}, `no such file or directory`},
		"hard link to what is outside":  {[]tar.Header{hard("a", "../../../../etc/passwd")}, `no such file or directory`},
		"kind of entry that is unknown": {[]tar.Header{{Typeflag: 'Z', Name: "a"}}, `a layer cannot hold an entry of type 'Z'`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := apply(t, t.TempDir(), archive(t, test.entries...))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Apply = %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestApplyDamagedLayer(t *testing.T) {
	t.Parallel()
	whole := archive(t, reg("first", "1"), reg("second", strings.Repeat("2", 2000))).Bytes()
	scrambled := bytes.Clone(whole)
	copy(scrambled[1024:], "garbage")
	tests := map[string]struct {
		layer []byte
		want  string
	}{
		"cut off in a file":   {whole[:2048+100], `behind its entry "second"`},
		"cut off in a header": {whole[:1024+100], `behind its entry "first"`},
		"scrambled header":    {scrambled, `behind its entry "first"`},
		"no archive":          {bytes.Repeat([]byte("no archive"), 100), "from its beginning"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := apply(t, t.TempDir(), bytes.NewReader(test.layer))
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Summary != "Damaged image layer" || !strings.Contains(problem.Detail, test.want) {
				t.Errorf("Apply = %v (%+v), want it to say where the layer is damaged: %s", err, problem, test.want)
			}
		})
	}
}

func TestApplyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := untar.Apply(ctx, root, archive(t, reg("a", "1"))); !errors.Is(err, stopped) {
		t.Errorf("Apply = %v, want %v", err, stopped)
	}
}

func TestCheckGrowth(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in, out int64
		refused bool
	}{
		"small layer of zeros":       {1 << 20, 1 << 30, false},
		"large layer":                {10 << 30, 60 << 30, false},
		"large layer, mostly zeros":  {1 << 30, 90 << 30, false},
		"bomb":                       {10 << 20, 8<<30 + 1, true},
		"all of a file without data": {0, 1 << 62, true},
	}
	for name, test := range tests {
		err := untar.CheckGrowth(test.in, test.out)
		if (err != nil) != test.refused {
			t.Errorf("%s: CheckGrowth(%d, %d) = %v, want refused %v", name, test.in, test.out, err, test.refused)
		}
	}
	problem, ok := errors.AsType[*diag.Problem](untar.CheckGrowth(10<<20, 9<<30))
	if !ok || !strings.Contains(problem.Detail, "10MiB of a layer became more than 9GiB") {
		t.Errorf("CheckGrowth = %+v, want a problem with both sizes", problem)
	}
}

// TestApplySparseBomb: a few bytes of archive claim a file of eight exabytes.
func TestApplySparseBomb(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("reads gigabytes of zeros")
	}
	var buffer bytes.Buffer
	header := make([]byte, 512) // GNU's old format of sparse files
	copy(header, "bomb")
	copy(header[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00        S")
	copy(header[257:], "ustar  \x00")
	copy(header[482:], "\x00")
	copy(header[386:], "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff") // one piece: at the end, of no length
	copy(header[398:], "00000000000\x00")
	copy(header[483:], "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff") // real size
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
	buffer.Write(header)
	buffer.Write(make([]byte, 1024))
	err := apply(t, t.TempDir(), &buffer)
	if problem, ok := errors.AsType[*diag.Problem](err); !ok || problem.Summary != "Image layer grows without measure" {
		t.Errorf("Apply = %v, want it to stop", err)
	}
}
