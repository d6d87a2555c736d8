package oci_test

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/deploy-action/deploy-action/internal/oci"
)

// layered makes an image of raw tar entries, one slice for each layer. The
// Linkname of a regular file is its content.
func layered(t *testing.T, layers ...[]tar.Header) v1.Image {
	t.Helper()
	image := empty.Image
	for _, entries := range layers {
		var buffer bytes.Buffer
		archive := tar.NewWriter(&buffer)
		for _, header := range entries {
			content := ""
			header.Uid, header.Gid = os.Getuid(), os.Getgid()
			if header.Typeflag == tar.TypeReg {
				content, header.Linkname = header.Linkname, ""
				header.Size = int64(len(content))
			}
			if err := archive.WriteHeader(&header); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(archive, content); err != nil {
				t.Fatal(err)
			}
		}
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			t.Fatal(err)
		}
	}
	return image
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

// listing returns what is below dir: files with their content, links with
// their target, folders with a slash.
func listing(t *testing.T, root string) map[string]string {
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

func TestUnpack(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		layers [][]tar.Header
		want   map[string]string
	}{
		"upper layer wins": {
			[][]tar.Header{{reg("a", "1"), reg("b", "1")}, {reg("a", "2")}},
			map[string]string{"a": "2", "b": "1"},
		},
		"missing folders are made": {
			[][]tar.Header{{reg("x/y/z", "1")}},
			map[string]string{"x/": "", "x/y/": "", "x/y/z": "1"},
		},
		"whiteout removes a file and a folder": {
			[][]tar.Header{{reg("a", "1"), dir("d"), reg("d/f", "1"), reg("keep", "1")}, {reg(".wh.a", ""), reg(".wh.d", "")}},
			map[string]string{"keep": "1"},
		},
		"opaque folder loses what lower layers had": {
			[][]tar.Header{{dir("d"), reg("d/old", "1")}, {dir("d"), reg("d/new", "2"), reg("d/.wh..wh..opq", "")}},
			map[string]string{"d/": "", "d/new": "2"},
		},
		"file replaces folder, folder replaces file": {
			[][]tar.Header{{dir("a"), reg("a/x", "1"), reg("b", "1")}, {reg("a", "2"), reg("b/y", "2")}},
			map[string]string{"a": "2", "b/": "", "b/y": "2"},
		},
		"links": {
			[][]tar.Header{{reg("a", "1"), sym("s", "a"), hard("h", "a")}},
			map[string]string{"a": "1", "s": "→ a", "h": "1"},
		},
		"hard link into a lower layer": {
			[][]tar.Header{{reg("a", "1")}, {hard("h", "a")}},
			map[string]string{"a": "1", "h": "1"},
		},
		"relative and absolute links to folders lead inside": {
			[][]tar.Header{{dir("usr"), dir("usr/lib"), sym("lib", "usr/lib"), sym("abs", "/usr/lib")}, {reg("lib/a", "1"), reg("abs/b", "2")}},
			map[string]string{"usr/": "", "usr/lib/": "", "lib": "→ usr/lib", "abs": "→ /usr/lib", "usr/lib/a": "1", "usr/lib/b": "2"},
		},
		"file replaces link to a file": {
			[][]tar.Header{{reg("a", "1"), sym("s", "a")}, {reg("s", "2")}},
			map[string]string{"a": "1", "s": "2"},
		},
		"names above the root stay in it": {
			[][]tar.Header{{reg("../../up", "1"), reg("/abs", "2")}},
			map[string]string{"up": "1", "abs": "2"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := filepath.Join(t.TempDir(), "root")
			if err := oci.Unpack(t.Context(), layered(t, test.layers...), root); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, listing(t, root)); diff != "" {
				t.Errorf("unpacked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnpackStaysInside(t *testing.T) {
	t.Parallel()
	tests := map[string][]tar.Header{
		"link to the outside":           {sym("out", "../outside"), reg("out/victim", "evil")},
		"link to a file outside":        {sym("out", "../outside/victim"), reg("out", "evil")},
		"hard link to the outside":      {hard("h", "../outside/victim"), reg("h", "evil")},
		"hard link through a link":      {sym("out", "../outside"), hard("h", "out/victim")},
		"whiteout through a link":       {sym("out", "../outside"), reg("out/.wh.victim", "")},
		"opaque marker through a link":  {sym("out", "../outside"), reg("out/.wh..wh..opq", "")},
		"whiteout of the parent folder": {reg(".wh...", "")},
		"loop of links":                 {sym("a", "b"), sym("b", "a"), reg("a/x", "evil")},
	}
	for name, entries := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			victim := filepath.Join(base, "outside", "victim")
			if err := os.Mkdir(filepath.Dir(victim), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(victim, []byte("good"), 0o644); err != nil {
				t.Fatal(err)
			}
			// Some of these fail, some stay inside; both are fine.
			_ = oci.Unpack(t.Context(), layered(t, entries), filepath.Join(base, "root"))
			if diff := cmp.Diff(map[string]string{"victim": "good"}, listing(t, filepath.Dir(victim))); diff != "" {
				t.Errorf("outside (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnpackModes(t *testing.T) {
	t.Parallel()
	program := reg("program", "x")
	program.Mode = 0o4755
	sticky := dir("tmp")
	sticky.Mode = 0o1777
	root := t.TempDir()
	if err := oci.Unpack(t.Context(), layered(t, []tar.Header{program, sticky}), root); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		"program": 0o755 | fs.ModeSetuid,
		"tmp":     0o777 | fs.ModeSticky | fs.ModeDir,
	} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("mode of %s is %v, want %v", name, info.Mode(), want)
		}
	}
}

// lyingImage promises another content than its layers have.
type lyingImage struct{ v1.Image }

func (i lyingImage) ConfigFile() (*v1.ConfigFile, error) {
	config, err := i.Image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.RootFS.DiffIDs[0].Hex = strings.Repeat("0", 64)
	return config, nil
}

func TestUnpackComparesDigests(t *testing.T) {
	t.Parallel()
	err := oci.Unpack(t.Context(), lyingImage{layered(t, []tar.Header{reg("a", "1")})}, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "was promised") {
		t.Errorf("Unpack = %v, want it to refuse the content", err)
	}
}
