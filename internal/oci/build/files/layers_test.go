package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
)

// TestLayers reads images as hostile or careless people make them.
func TestLayers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ layers, want []string }{
		"whiteouts": {
			[]string{"755 0:0 a/", "644 0:0 a/x=1", "644 0:0 a/y=1", "755 0:0 b/", "644 0:0 b/z=1", "644 0:0 a/.wh.x", "644 0:0 .wh.b"},
			[]string{"a/", "a/y"},
		},
		"opaque folder":              {[]string{"755 0:0 a/", "644 0:0 a/x=1", "755 0:0 a/", "644 0:0 a/.wh..wh..opq", "644 0:0 a/y=1"}, []string{"a/", "a/y"}},
		"whiteout that climbs":       {[]string{"644 0:0 x=1", "755 0:0 a/", "644 0:0 a/.wh...", "644 0:0 a/.wh..", "644 0:0 a/.wh.", "644 0:0 .wh..wh.aufs"}, []string{"a/", "x"}},
		"names that climb":           {[]string{"644 0:0 ../../x=1", "644 0:0 /a/../../y=1"}, []string{"x", "y"}},
		"folders that are not there": {[]string{"644 0:0 a/b/c=1"}, []string{"a/", "a/b/", "a/b/c"}},
		"through a link":             {[]string{"755 0:0 usr/bin/", "777 0:0 bin→usr/bin", "644 0:0 bin/x=1"}, []string{"bin", "usr/", "usr/bin/", "usr/bin/x"}},
		"through one that leads out": {[]string{"777 0:0 up→../../..", "644 0:0 up/x=1"}, []string{"up", "x"}},
		"folder over a file":         {[]string{"644 0:0 a=1", "644 0:0 a/b=1"}, []string{"a/", "a/b"}},
		"file over a folder":         {[]string{"644 0:0 a/b=1", "644 0:0 a=1"}, []string{"a"}},
		"folder, file, folder":       {[]string{"644 0:0 a/b=1", "644 0:0 a=1", "644 0:0 a/c=1"}, []string{"a/", "a/c"}},
		"link over a folder":         {[]string{"644 0:0 a/b=1", "755 0:0 c/", "777 0:0 a→c", "644 0:0 a/d=1"}, []string{"a", "c/", "c/d"}},
		"hard link":                  {[]string{"644 0:0 a=1", "644 0:0 b⇒a", "644 0:0 .wh.a"}, []string{"b"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, listAll(t, layers(t, test.layers...))); diff != "" {
				t.Errorf("image (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLayersProblems reads layers that make no sense.
func TestLayersProblems(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	failing := Layers(func(context.Context, func(*tar.Header, io.Reader) error) error { return broken })
	if _, err := failing.Lstat(t.Context(), "a"); !errors.Is(err, broken) {
		t.Errorf("Lstat() = %v", err)
	}
	for name, entries := range map[string][]string{
		"loop of links":    {"777 0:0 a→b", "777 0:0 b→a", "644 0:0 a/x=1"},
		"long name":        {"644 0:0 " + strings.Repeat("a/", 2100)},
		"long link":        {"777 0:0 a→" + strings.Repeat("a/", 2100)},
		"link to nothing":  {"644 0:0 a⇒none"},
		"link to a folder": {"755 0:0 d/", "644 0:0 a⇒d"},
	} {
		if _, err := layers(t, entries...).Lstat(t.Context(), "a"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: Lstat() = %v", name, err)
		}
	}
	if _, err := layers(t, "644 0:0 a=1").Open(t.Context(), Entry{Name: "a"}); err == nil {
		t.Error("the content of a base's file was opened")
	}
}

// TestLayersAreReadOnce looks at a base many times, and again after an error.
func TestLayersAreReadOnce(t *testing.T) {
	t.Parallel()
	scans := 0
	view := Layers(func(ctx context.Context, visit func(*tar.Header, io.Reader) error) error {
		if scans++; scans == 1 {
			return errors.New("the network is down")
		}
		return visit(&tar.Header{Typeflag: tar.TypeDir, Name: "a/", Mode: 0o700}, nil)
	})
	for i := range 3 {
		_, err := view.Lstat(t.Context(), "a")
		if (err != nil) != (i == 0) {
			t.Errorf("Lstat() = %v, try %d", err, i)
		}
	}
	if scans != 2 {
		t.Errorf("%d scans, want 2", scans)
	}
}

// TestActions carries out what Dockerfiles do beside copying.
func TestActions(t *testing.T) {
	t.Parallel()
	mkdir := func(name string, parents bool) *pb.FileActionMkDir {
		return &pb.FileActionMkDir{Path: name, Mode: 0o750, MakeParents: parents, Owner: byID(1, 2), Timestamp: -1}
	}
	mkfile := func(name, text string) *pb.FileActionMkFile {
		return &pb.FileActionMkFile{Path: name, Mode: 0o640, Data: []byte(text), Timestamp: -1}
	}
	remove := func(name string) *pb.FileActionRm {
		return &pb.FileActionRm{Path: name, AllowNotFound: true, AllowWildcard: true}
	}
	tests := map[string]struct {
		actions []any
		want    []string
	}{
		"WORKDIR":                  {[]any{mkdir("/w/x", true)}, []string{"750 1:2 w/", "750 1:2 w/x/"}},
		"WORKDIR that is there":    {[]any{mkdir("/bin", true)}, []string{}},
		"WORKDIR behind a link":    {[]any{mkdir("/bin/x", true)}, []string{"755 0:0 usr/", "755 0:0 usr/bin/", "750 1:2 usr/bin/x/"}},
		"folder that is there":     {[]any{mkdir("/tmp", false)}, []string{}},
		"here-document":            {[]any{mkfile("/x", "hi\n")}, []string{"640 0:0 x=hi\n"}},
		"over a file":              {[]any{mkfile("/usr/bin/tool", "new")}, []string{"755 0:0 usr/", "755 0:0 usr/bin/", "755 0:0 usr/bin/tool=new"}},
		"link":                     {[]any{&pb.FileActionSymlink{Oldpath: "/a", Newpath: "/tmp/l", Timestamp: -1}}, []string{"1777 0:0 tmp/", "777 0:0 tmp/l→/a"}},
		"removed":                  {[]any{remove("/usr/bin/t*"), remove("/none")}, []string{"755 0:0 usr/", "755 0:0 usr/bin/", "0 0:0 usr/bin/.wh.tool"}},
		"removed link":             {[]any{remove("/bin")}, []string{"0 0:0 .wh.bin"}},
		"removed what was made":    {[]any{mkfile("/tmp/x", "1"), remove("/tmp/x")}, []string{"1777 0:0 tmp/"}},
		"file instead of a folder": {[]any{remove("/usr"), mkfile("/usr", "1")}, []string{"640 0:0 usr=1"}},
		"folder instead of itself": {[]any{remove("/usr"), mkdir("/usr", true)}, []string{"750 1:2 usr/", "0 0:0 usr/.wh..wh..opq"}},
		"folder, file, folder":     {[]any{remove("/usr"), mkfile("/usr", "1"), remove("/usr"), mkdir("/usr", true)}, []string{"750 1:2 usr/", "0 0:0 usr/.wh..wh..opq"}},
		"folder instead of a file": {[]any{remove("/file"), mkdir("/file", true)}, []string{"750 1:2 file/"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := layers(t, debian...)
			got := planned(t, step(test.actions...), base, base)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("layer (-want +got):\n%s", diff)
			}
			entries, err := Plan(t.Context(), step(test.actions...), []View{base, base})
			if err != nil {
				t.Fatal(err)
			}
			// What follows sees what an engine would unpack.
			stacked := layers(t, append(append([]string{}, debian...), got...)...)
			if diff := cmp.Diff(listAll(t, stacked), listAll(t, Overlay(base, entries))); diff != "" {
				t.Errorf("image (-layers +overlay):\n%s", diff)
			}
		})
	}
}

func TestActionProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		action any
		want   string
	}{
		"file over a folder": {&pb.FileActionMkFile{Path: "/usr"}, `the file "/usr" cannot replace the folder of that name`},
		"link over a file":   {&pb.FileActionSymlink{Oldpath: "x", Newpath: "/file"}, `the link "/file" cannot replace what is there`},
		"folder in a file":   {&pb.FileActionMkDir{Path: "/file/x", MakeParents: true}, `"/file" is not a folder`},
		"missing":            {&pb.FileActionRm{Path: "/none"}, `"/none" cannot be removed: there is no such file`},
		"root":               {&pb.FileActionRm{Path: "/"}, "the root of an image cannot be removed"},
		"loop":               {&pb.FileActionMkDir{Path: "/loop/x", MakeParents: true}, "more than 40 symbolic links"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := problem(t, step(test.action), layers(t, debian...)); !strings.Contains(got, test.want) {
				t.Errorf("problem is %s, want …%s…", got, test.want)
			}
		})
	}
}

// TestLoopOfActions is nothing that a Dockerfile makes.
func TestLoopOfActions(t *testing.T) {
	t.Parallel()
	for _, first := range []int64{2, 3, 99} {
		op := step(&pb.FileActionMkDir{Path: "/a"}, &pb.FileActionMkDir{Path: "/b"})
		op.Actions[0].Input = first
		if _, err := Plan(t.Context(), op, []View{layers(t), layers(t)}); err == nil {
			t.Errorf("actions that begin with %d were carried out", first)
		}
	}
}

// BenchmarkPlan plans as many files as large repositories have.
func BenchmarkPlan(b *testing.B) {
	const files = 200_000
	view := &manyFiles{folders: 200, each: files / 200}
	for b.Loop() {
		entries, err := Plan(b.Context(), step(copyAction("/", "/app")), []View{layers(b), view})
		if err != nil || len(entries) != files+201 {
			b.Fatal(len(entries), err)
		}
	}
}

// manyFiles is a view of folders with files that need no disk.
type manyFiles struct{ folders, each int }

func (m *manyFiles) Lstat(_ context.Context, name string) (Entry, error) {
	return Entry{Name: name, Header: tar.Header{Typeflag: tar.TypeDir, Mode: 0o755}}, nil
}

func (m *manyFiles) ReadDir(_ context.Context, name string) ([]Entry, error) {
	count, kind, prefix := m.each, byte(tar.TypeReg), name+"/a-file-of-some-length-"
	if name == "." {
		count, kind, prefix = m.folders, tar.TypeDir, "folder-"
	}
	entries := make([]Entry, count)
	for i := range entries {
		entries[i] = Entry{Name: fmt.Sprintf("%s%06d", prefix, i), Header: tar.Header{Typeflag: kind, Mode: 0o644, Size: 10}}
	}
	return entries, nil
}

func (m *manyFiles) Open(context.Context, Entry) (io.ReadCloser, error) {
	return nil, errors.New("no content")
}
