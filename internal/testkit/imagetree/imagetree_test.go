package imagetree_test

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/deploy-action/deploy-action/internal/testkit/imagetree"
)

// entry is an entry of a layer; its Size is that of its content.
type entry struct {
	tar.Header
	content string
}

func folder(name string, mode int64) entry {
	return entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}}
}

func regular(name, content string) entry {
	return entry{Header: tar.Header{Name: name, Mode: 0o644}, content: content}
}

func linked(kind byte, name, target string) entry {
	return entry{Header: tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}}
}

// image makes an image of layers.
func image(t *testing.T, layers ...[]entry) v1.Image {
	t.Helper()
	made := empty.Image
	for _, entries := range layers {
		archive := &bytes.Buffer{}
		writer := tar.NewWriter(archive)
		for _, e := range entries {
			e.Size = int64(len(e.content))
			if err := writer.WriteHeader(&e.Header); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(writer, e.content); err != nil {
				t.Fatal(err)
			}
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
		if err != nil {
			t.Fatal(err)
		}
		if made, err = mutate.AppendLayers(made, layer); err != nil {
			t.Fatal(err)
		}
	}
	return made
}

func read(t *testing.T, image v1.Image) *imagetree.Tree {
	t.Helper()
	tree, err := imagetree.Read(image)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestRead applies layers with all that a later one may do to an earlier.
func TestRead(t *testing.T) {
	t.Parallel()
	const a, root = `file 644 0:0 "a"`, "folder 755 0:0"
	tests := map[string]struct {
		layers [][]entry
		want   map[string]string
	}{
		"kinds": {
			[][]entry{{
				folder("./", 0o750), folder("d/", 0o1777), regular("d/a", "a"), linked(tar.TypeSymlink, "l", "d/a"), linked(tar.TypeLink, "h", "d/a"),
				{Header: tar.Header{Typeflag: tar.TypeChar, Name: "c", Mode: 0o600, Devmajor: 1, Devminor: 3, Uid: 5, Gid: 6}},
				{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "p", Mode: 0o600, PAXRecords: map[string]string{"SCHILY.xattr.user.x": "1"}}},
			}},
			map[string]string{
				".": "folder 750 0:0", "d": "folder 1777 0:0", "d/a": a + " linked as d/a, h", "h": a + " linked as d/a, h", "l": "link 777 0:0 → d/a",
				"c": "character device 600 5:6 1:3", "p": `pipe 600 0:0 user.x="1"`,
			},
		},
		"folders that are implied": {
			[][]entry{{regular("/x/y/a", "a")}},
			map[string]string{".": root, "x": root, "x/y": root, "x/y/a": a},
		},
		"a whiteout": {
			[][]entry{{regular("d/a", "a"), regular("da", "a"), regular("e", "a")}, {regular(".wh.d", ""), regular(".wh.none", "")}},
			map[string]string{".": root, "da": a, "e": a},
		},
		"a whiteout of what comes back": {
			[][]entry{{regular("d/a", "a")}, {regular("d/b", "a"), regular(".wh.d", "")}},
			map[string]string{".": root, "d": root, "d/b": a},
		},
		"an opaque folder": {
			[][]entry{{regular("d/a", "a")}, {folder("d/", 0o700), regular("d/b", "a"), regular("d/.wh..wh..opq", "")}},
			map[string]string{".": root, "d": "folder 700 0:0", "d/b": a},
		},
		"a folder replaced by a file": {
			[][]entry{{regular("d/a", "a")}, {regular("d", "a")}},
			map[string]string{".": root, "d": a},
		},
		"a file replaced by a folder": {
			[][]entry{{regular("d", "a")}, {folder("d/", 0o755), regular("d/a", "a")}},
			map[string]string{".": root, "d": root, "d/a": a},
		},
		"an entry below a link": {
			[][]entry{{regular("usr/bin/sh", "a"), linked(tar.TypeSymlink, "bin", "usr/bin")}, {regular("bin/a", "a")}},
			map[string]string{".": root, "usr": root, "usr/bin": root, "usr/bin/sh": a, "bin": root, "bin/a": a},
		},
		"hard links that part": {
			[][]entry{{regular("a", "a"), linked(tar.TypeLink, "b", "a"), linked(tar.TypeLink, "c", "a")}, {regular("a", "a")}},
			map[string]string{".": root, "a": a, "b": a + " linked as b, c", "c": a + " linked as b, c"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, read(t, image(t, test.layers...)).Lines()); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadBroken wants a hard link to be to something.
func TestReadBroken(t *testing.T) {
	t.Parallel()
	if _, err := imagetree.Read(image(t, []entry{linked(tar.TypeLink, "a", "none")})); err == nil {
		t.Error("Read has no error, want one for a hard link to nothing")
	}
}

// TestReader reads what two images share once, and tells them apart.
func TestReader(t *testing.T) {
	t.Parallel()
	reader := &imagetree.Reader{}
	base := []entry{regular("a", "a")}
	var trees []*imagetree.Tree
	for _, content := range []string{"x", "y", "x"} {
		tree, err := reader.Read(image(t, base, []entry{regular("b", content)}))
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	if trees[0] != trees[2] || len(imagetree.Diff(trees[0], trees[1])) != 1 {
		t.Errorf("the trees are %v", trees)
	}
}

// TestDiff finds every way in which a file can differ.
func TestDiff(t *testing.T) {
	t.Parallel()
	base := []entry{regular("a", "a"), regular("b", "b"), linked(tar.TypeSymlink, "l", "a")}
	tests := map[string]struct {
		change []entry
		want   []string
	}{
		"nothing": {nil, nil},
		"times":   {[]entry{{Header: tar.Header{Name: "a", Mode: 0o644, ModTime: time.Unix(1, 0)}, content: "a"}}, nil},
		"content": {[]entry{regular("a", "x")}, []string{`a: file 644 0:0 "x", want file 644 0:0 "a"`}},
		"large content": {
			[]entry{regular("a", strings.Repeat("a", 1000))},
			[]string{`a: file 644 0:0 1000 bytes 41edece42d63e8d9, want file 644 0:0 "a"`},
		},
		"more": {[]entry{regular("c", "")}, []string{`c: file 644 0:0 "", want nothing`}},
		"less": {[]entry{regular(".wh.l", "")}, []string{"l: missing, want link 777 0:0 → a"}},
		"a hard link": {[]entry{linked(tar.TypeLink, "b", "a")}, []string{
			`a: file 644 0:0 "a" linked as a, b, want file 644 0:0 "a"`,
			`b: file 644 0:0 "a" linked as a, b, want file 644 0:0 "b"`,
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := imagetree.Diff(read(t, image(t, base)), read(t, image(t, base, test.change)))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Diff (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDiffConfig looks at everything but times, comments and layers.
func TestDiffConfig(t *testing.T) {
	t.Parallel()
	config := func(change func(*v1.ConfigFile)) v1.Image {
		file := &v1.ConfigFile{OS: "linux", Config: v1.Config{Env: []string{"A=1"}}, History: []v1.History{{CreatedBy: "x"}}}
		change(file)
		made, err := mutate.ConfigFile(empty.Image, file)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	want := config(func(*v1.ConfigFile) {})
	tests := map[string]struct {
		change func(*v1.ConfigFile)
		want   []string
	}{
		"time": {func(c *v1.ConfigFile) { c.Created = v1.Time{Time: time.Unix(1, 0)} }, nil},
		"history's comment": {func(c *v1.ConfigFile) {
			c.History[0].Comment, c.History[0].Created = "y", v1.Time{Time: time.Unix(1, 0)}
		}, nil},
		"history":     {func(c *v1.ConfigFile) { c.History[0].CreatedBy = "y" }, []string{`history/000/created_by: "y", want "x"`}},
		"environment": {func(c *v1.ConfigFile) { c.Config.Env = []string{"A=1", "B=2"} }, []string{`config/Env/001: "B=2", want nothing`}},
		"user":        {func(c *v1.ConfigFile) { c.Config.User = "me" }, []string{`config/User: "me", want nothing`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := imagetree.DiffConfig(want, config(test.change))
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("DiffConfig = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}
