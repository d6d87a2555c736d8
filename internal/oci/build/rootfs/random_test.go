//go:build linux

package rootfs_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// chaos changes a tree at random, as the commands of a build may.
type chaos struct {
	t    *testing.T
	rand *rand.Rand
	dir  string
}

func (c *chaos) oneOf(names []string) string { return names[c.rand.IntN(len(names))] }

// list returns the paths below dir that ok wants.
func (c *chaos) list(ok func(fs.DirEntry) bool) []string {
	var found []string
	must(c.t, filepath.WalkDir(c.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && path != c.dir && ok(entry) {
			found = append(found, path)
		}
		return err
	}))
	return found
}

// place returns a path for something new; what is there is removed sometimes,
// and otherwise the path is "".
func (c *chaos) place() string {
	folders := append(c.list(fs.DirEntry.IsDir), c.dir)
	path := filepath.Join(c.oneOf(folders), c.oneOf([]string{"a", "b", "c", "d", "long" + fmt.Sprint(c.rand.IntN(1000)), "ü"}))
	if _, err := os.Lstat(path); err != nil {
		return path
	}
	if c.rand.IntN(3) > 0 {
		return ""
	}
	must(c.t, os.RemoveAll(path))
	return path
}

func (c *chaos) content() []byte {
	data := make([]byte, c.rand.IntN(300))
	for i := range data {
		data[i] = byte('a' + c.rand.IntN(3))
	}
	return data
}

// step does one thing.
func (c *chaos) step() {
	if c.rand.IntN(2) == 0 {
		if path := c.place(); path != "" {
			c.create(path)
		}
		return
	}
	all := c.list(func(fs.DirEntry) bool { return true })
	if len(all) == 0 {
		return
	}
	path := c.oneOf(all)
	var stat unix.Stat_t
	must(c.t, unix.Lstat(path, &stat))
	c.change(path, &stat)
}

func (c *chaos) create(path string) {
	t := c.t
	switch c.rand.IntN(8) {
	case 0, 1:
		must(t, os.WriteFile(path, c.content(), 0o644))
	case 2, 3:
		must(t, os.Mkdir(path, 0o755))
	case 4:
		must(t, os.Symlink(c.oneOf([]string{"a", "../b", "/c", "nowhere"}), path))
	case 5:
		must(t, unix.Mkfifo(path, 0o600))
	case 6:
		// A device, or a socket where devices cannot be made; neither is opened.
		if unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, uint32(c.rand.IntN(4)+3)))) != nil {
			must(t, unix.Mknod(path, unix.S_IFSOCK|0o600, 0))
		}
	case 7:
		if others := c.list(func(e fs.DirEntry) bool { return !e.IsDir() }); len(others) > 0 {
			must(t, os.Link(c.oneOf(others), path))
		}
	}
}

func (c *chaos) change(path string, stat *unix.Stat_t) {
	t, isLink, isFile := c.t, stat.Mode&unix.S_IFMT == unix.S_IFLNK, stat.Mode&unix.S_IFMT == unix.S_IFREG
	switch c.rand.IntN(9) {
	case 0, 1:
		must(t, os.RemoveAll(path))
	case 2:
		if to := c.place(); to != "" {
			_ = os.Rename(path, to) // into itself, or its parent went to make room
		}
	case 3:
		if !isLink {
			must(t, unix.Chmod(path, uint32(c.rand.IntN(0o10000))))
		}
	case 4:
		must(t, os.Lchown(path, c.rand.IntN(3), c.rand.IntN(3)))
	case 5:
		if isFile {
			must(t, os.WriteFile(path, c.content(), 0o644))
		}
	case 6:
		if isFile { // as long as before, at the time of before
			content := bytes.Repeat([]byte{byte('A' + c.rand.IntN(26))}, int(stat.Size))
			must(t, os.WriteFile(path, content, 0o644))
			must(t, os.Chtimes(path, time.Time{}, time.Unix(stat.Mtim.Unix())))
		}
	case 7:
		if isFile {
			must(t, unix.Lsetxattr(path, "security.capability", []byte(capability), 0))
		}
	case 8:
		if !isLink {
			must(t, os.Chtimes(path, time.Time{}, time.Unix(int64(c.rand.IntN(1000)), 5)))
		}
	}
}

// TestRoundTrip: what a root was, with the layer of a random change applied, is
// what the root became.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	needRoot(t)
	first := uint64(time.Now().UnixNano())
	for i := range uint64(30) {
		seed := first + i
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			roundTrip(t, seed)
		})
	}
}

func roundTrip(t *testing.T, seed uint64) {
	work, copied := t.TempDir(), t.TempDir()
	c := &chaos{t: t, rand: rand.New(rand.NewPCG(seed, 0)), dir: work}
	before := scan(t, work)
	when := fixed
	when.Keep = c.rand.IntN(2) == 0
	for range 4 {
		for range c.rand.IntN(60) {
			c.step()
		}
		after, err := before.Rescan(t.Context(), work)
		must(t, err)
		diff, changed := layer(t, work, before, after, when)
		again, _ := layer(t, work, before, scan(t, work), when)
		if !bytes.Equal(diff, again) {
			t.Error("the same states gave two layers, one by all files and one by what changed")
		}
		if _, rest := layer(t, work, after, scan(t, work), when); rest != 0 {
			t.Errorf("%d changes where nothing was done", rest)
		}
		if lines := entries(t, diff); (len(lines) == 0) != (changed == 0) {
			t.Errorf("%d changes made the entries %q", changed, lines)
		}
		apply(t, copied, diff)
		if difference := cmp.Diff(describe(t, work), describe(t, copied)); difference != "" {
			t.Fatalf("what the layers make of it (-want +got):\n%s\nthe last layer has %q", difference, entries(t, diff))
		}
		before = after
	}
}
