//go:build linux

package rootfs_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
)

// write makes files, and the folders above them; of a name with a slash at its
// end a folder.
func write(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(path, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte("content of "+name), 0o644))
	}
}

func TestWriteDiff(t *testing.T) {
	t.Parallel()
	keep := files.Times{Keep: true}
	tests := map[string]struct {
		before []string
		change func(t *testing.T, at func(string) string)
		when   files.Times
		want   []string
	}{
		"nothing": {
			before: []string{"d/a"},
			change: func(*testing.T, func(string) string) {},
		},
		"a file that is gone again": {
			before: []string{"tmp/"},
			change: func(t *testing.T, at func(string) string) {
				write(t, at("tmp"), "scratch")
				must(t, os.Remove(at("tmp/scratch")))
			},
			when: keep,
		},
		"new file with the folders above it, in order": {
			before: []string{"usr/lib/x", "usr/other/y"},
			change: func(t *testing.T, at func(string) string) {
				write(t, at("usr"), "lib/new", "lib.d/new", "lib-z")
			},
			want: []string{"5 usr/", "5 usr/lib/", "0 usr/lib/new", "0 usr/lib-z", "5 usr/lib.d/", "0 usr/lib.d/new"},
		},
		"removed file and folder": {
			before: []string{"d/a", "d/b", "e/f/g"},
			change: func(t *testing.T, at func(string) string) {
				must(t, os.Remove(at("d/a")))
				must(t, os.RemoveAll(at("e/f")))
			},
			want: []string{"5 d/", "0 d/.wh.a", "5 e/", "0 e/.wh.f"},
		},
		"folder becomes a file": {
			before: []string{"d/a", "d/b"},
			change: func(t *testing.T, at func(string) string) {
				must(t, os.RemoveAll(at("d")))
				write(t, at("."), "d")
			},
			want: []string{"0 d"},
		},
		"file becomes a folder": {
			before: []string{"d"},
			change: func(t *testing.T, at func(string) string) {
				must(t, os.Remove(at("d")))
				write(t, at("."), "d/a")
			},
			want: []string{"5 d/", "0 d/a"},
		},
		"folder removed and made again": {
			before: []string{"d/old", "d/same"},
			change: func(t *testing.T, at func(string) string) {
				must(t, os.RemoveAll(at("d")))
				write(t, at("."), "d/new", "d/same")
			},
			want: []string{"5 d/", "0 d/new", "0 d/.wh.old", "0 d/same"},
		},
		"renamed folder": {
			before: []string{"d/a", "d/b/c"},
			change: func(t *testing.T, at func(string) string) { must(t, os.Rename(at("d"), at("e"))) },
			want:   []string{"0 .wh.d", "5 e/", "0 e/a", "5 e/b/", "0 e/b/c"},
		},
		"mode alone": {
			before: []string{"d/a", "e/b"},
			change: func(t *testing.T, at func(string) string) {
				must(t, os.Chmod(at("d/a"), 0o600))
				must(t, os.Chmod(at("e"), 0o700))
			},
			want: []string{"5 d/", "0 d/a", "5 e/"},
		},
		"time of a file alone": {
			before: []string{"d/a"},
			change: func(t *testing.T, at func(string) string) {
				must(t, os.Chtimes(at("d/a"), time.Time{}, time.Unix(1, 0)))
			},
			want: []string{"5 d/", "0 d/a"},
		},
		"time of a folder alone": {
			before: []string{"d/a"},
			change: func(t *testing.T, at func(string) string) {
				must(t, os.Chtimes(at("d"), time.Time{}, time.Unix(1, 0)))
			},
			when: keep,
		},
		"the root's own mode": {
			before: []string{"d/a"},
			change: func(t *testing.T, at func(string) string) { must(t, os.Chmod(at("."), 0o700)) },
		},
		"hard link to a file of before": {
			before: []string{"d/a", "d/other"},
			change: func(t *testing.T, at func(string) string) { must(t, os.Link(at("d/a"), at("b"))) },
			want:   []string{"0 b", "5 d/", "1 d/a → b"},
		},
		"one of several names is gone": {
			before: []string{"a"},
			change: func(t *testing.T, at func(string) string) {
				must(t, os.Link(at("a"), at("b")))
				must(t, os.Link(at("a"), at("c")))
				must(t, os.Remove(at("a")))
			},
			want: []string{"0 .wh.a", "0 b", "1 c → b"},
		},
		"a name of a file outside of the root": {
			before: []string{"a"},
			change: func(t *testing.T, at func(string) string) { must(t, os.Link(at("a"), filepath.Join(t.TempDir(), "x"))) },
			want:   []string{"0 a"},
		},
		"socket": {
			before: []string{"was-file"},
			change: func(t *testing.T, at func(string) string) {
				must(t, os.Remove(at("was-file")))
				must(t, unix.Mknod(at("was-file"), unix.S_IFSOCK|0o600, 0))
				must(t, unix.Mknod(at("new"), unix.S_IFSOCK|0o600, 0))
			},
			want: []string{"0 .wh.was-file"},
		},
		"links and pipes": {
			change: func(t *testing.T, at func(string) string) {
				must(t, os.Symlink("/nowhere", at("s")))
				must(t, unix.Mkfifo(at("p"), 0o600))
			},
			want: []string{"6 p", "2 s → /nowhere"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, test.before...)
			before := scan(t, dir)
			test.change(t, func(name string) string { return filepath.Join(dir, name) })
			if test.when == (files.Times{}) {
				test.when = fixed
			}
			diff, _ := layer(t, dir, before, scan(t, dir), test.when)
			if difference := cmp.Diff(test.want, entries(t, diff)); difference != "" {
				t.Errorf("entries (-want +got):\n%s", difference)
			}
		})
	}
}

// TestWriteDiffCountsChanges: folders that only lead to a change are none.
func TestWriteDiffCountsChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a/b/c", "gone")
	before := scan(t, dir)
	write(t, dir, "a/b/new")
	must(t, os.Remove(filepath.Join(dir, "gone")))
	if _, changed := layer(t, dir, before, scan(t, dir), fixed); changed != 2 {
		t.Errorf("%d changes, want the new file and the one that is gone", changed)
	}
}

// TestSameInstant: a write is seen although size, time and moment are the same.
func TestSameInstant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	when := time.Unix(1000000000, 0)
	for i := range 40 {
		must(t, os.WriteFile(name, []byte{byte(i)}, 0o644))
		must(t, os.Chtimes(name, time.Time{}, when))
		before := scan(t, dir)
		must(t, os.WriteFile(name, []byte{byte(i + 1)}, 0o644))
		must(t, os.Chtimes(name, time.Time{}, when))
		if _, changed := layer(t, dir, before, scan(t, dir), fixed); changed != 1 {
			t.Fatalf("try %d: %d changes were seen, want 1", i, changed)
		}
	}
}

// TestRenamedFolders: to rename a file and back is no change where the caller
// says that this happens.
func TestRenamedFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "top", "etc/passwd", "etc/hosts", "usr/bin/x")
	before := scan(t, dir, ".", "etc")
	for _, name := range []string{"top", "etc/passwd", "etc/hosts", "usr"} {
		path := filepath.Join(dir, name)
		must(t, os.Rename(path, path+"~"))
		must(t, os.Rename(path+"~", path))
	}
	if diff, changed := layer(t, dir, before, scan(t, dir, ".", "etc"), fixed); changed != 0 {
		t.Errorf("%d changes: %q, want none", changed, entries(t, diff))
	}
	info, err := os.Stat(filepath.Join(dir, "etc/hosts"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "etc/hosts"), []byte(strings.Repeat("x", int(info.Size()))), 0o644))
	must(t, os.Chtimes(filepath.Join(dir, "etc/hosts"), time.Time{}, info.ModTime()))
	diff, _ := layer(t, dir, before, scan(t, dir, ".", "etc"), fixed)
	if difference := cmp.Diff([]string{"5 etc/", "0 etc/hosts"}, entries(t, diff)); difference != "" {
		t.Errorf("entries (-want +got):\n%s", difference)
	}
}

func TestWriteDiffHeaders(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := t.TempDir()
	before := scan(t, dir)
	write(t, dir, "ping", "su", strings.Repeat("long/", 60)+"name")
	must(t, os.Chown(filepath.Join(dir, "su"), 12, 34))
	must(t, unix.Chmod(filepath.Join(dir, "su"), 0o6755))
	must(t, unix.Lsetxattr(filepath.Join(dir, "ping"), "security.capability", []byte(capability), 0))
	must(t, unix.Lsetxattr(filepath.Join(dir, "su"), "security.other", []byte("x"), 0))
	diff, _ := layer(t, dir, before, scan(t, dir), fixed)
	archive := tar.NewReader(bytes.NewReader(diff))
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		if !header.ModTime.Equal(fixed.Fixed) || header.Uname != "" || header.Gname != "" {
			t.Errorf("%s has time %v and owner %q:%q", header.Name, header.ModTime, header.Uname, header.Gname)
		}
		extended := header.Format == tar.FormatPAX
		switch {
		case header.Name == "su" && (header.Mode != 0o6755 || header.Uid != 12 || header.Gid != 34 || extended):
			t.Errorf("su is %o %d:%d, extended %v", header.Mode, header.Uid, header.Gid, extended)
		case header.Name == "ping" && header.PAXRecords["SCHILY.xattr.security.capability"] != capability:
			t.Errorf("ping has the records %q", header.PAXRecords)
		}
	}
}

func TestWriteDiffKeepsTimes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "gone")
	before := scan(t, dir)
	write(t, dir, "new")
	must(t, os.Remove(filepath.Join(dir, "gone")))
	must(t, os.Chtimes(filepath.Join(dir, "new"), time.Time{}, time.Unix(1234567890, 999)))
	diff, _ := layer(t, dir, before, scan(t, dir), files.Times{Fixed: fixed.Fixed, Keep: true})
	archive := tar.NewReader(bytes.NewReader(diff))
	for _, want := range []time.Time{fixed.Fixed, time.Unix(1234567890, 0)} {
		header, err := archive.Next()
		must(t, err)
		if !header.ModTime.Equal(want) || header.Format == tar.FormatPAX {
			t.Errorf("%s has time %v in format %v, want %v and nothing extended", header.Name, header.ModTime, header.Format, want)
		}
	}
}

func TestWriteDiffRefusesNamesOfWhiteouts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := scan(t, dir)
	write(t, dir, "d/.wh.passwd")
	_, err := rootfs.WriteDiff(t.Context(), tar.NewWriter(io.Discard), dir, before, scan(t, dir), fixed)
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || !strings.Contains(problem.Detail, `The command made "/d/.wh.passwd"`) {
		t.Errorf("WriteDiff = %v (%+v), want a problem that names the file", err, problem)
	}
}

func TestWriteDiffNoticesLateChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := scan(t, dir)
	write(t, dir, "log")
	after := scan(t, dir)
	for _, content := range []string{"", "far longer than it was when the state was taken"} {
		must(t, os.WriteFile(filepath.Join(dir, "log"), []byte(content), 0o644))
		_, err := rootfs.WriteDiff(t.Context(), tar.NewWriter(io.Discard), dir, before, after, fixed)
		if err == nil || !strings.Contains(err.Error(), `reading "log": it changed its size while it was read`) {
			t.Errorf("WriteDiff = %v, want it to name the file", err)
		}
	}
}

// TestScanSeesSockets: what listens on one may be left behind by a command.
func TestScanSeesSockets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := scan(t, dir)
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	must(t, err)
	defer listener.Close()
	if diff, changed := layer(t, dir, before, scan(t, dir), fixed); changed != 0 {
		t.Errorf("a socket made the layer %q", entries(t, diff))
	}
}

// TestSparseFiles: holes are zeros in a layer, and holes again where it is
// applied.
func TestSparseFiles(t *testing.T) {
	t.Parallel()
	dir, copied := t.TempDir(), t.TempDir()
	before := scan(t, dir)
	const size = 4<<20 + 12345
	for name, at := range map[string]int64{"begin": 0, "middle": 2 << 20, "odd": 1<<20 + 77, "end": size - 4, "nowhere": -1} {
		file, err := os.Create(filepath.Join(dir, name))
		must(t, err)
		must(t, file.Truncate(size))
		if at >= 0 {
			_, err = file.WriteAt([]byte("data"), at)
			must(t, err)
		}
		must(t, file.Close())
	}
	diff, _ := layer(t, dir, before, scan(t, dir), fixed)
	apply(t, copied, diff)
	unpacked := describe(t, copied)
	for name, want := range describe(t, dir) {
		if unpacked[name] != want {
			t.Errorf("%s is another file after the round trip", name)
		}
		var stat unix.Stat_t
		must(t, unix.Stat(filepath.Join(copied, name), &stat))
		if room := stat.Blocks * 512; room > 1<<20 {
			t.Errorf("%s takes %d bytes on disk", name, room)
		}
	}
}
