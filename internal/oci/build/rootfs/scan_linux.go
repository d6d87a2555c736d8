package rootfs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// capabilities is the one extended attribute that lands in a layer, as with
// other builders.
const capabilities = "security.capability"

// Scan reads the metadata of all below dir. When it returns, the clock has moved
// on since, so that a later Scan tells every file that was written to in
// between. Sockets are left out, since no layer can hold one.
//
// To rename a file changes its ctime. Where a sandbox renames the files that
// are directly in some folders and puts them back, those folders are named by
// renamed, relative to dir ("." is dir itself): there a file's content counts.
func Scan(ctx context.Context, dir string, renamed ...string) (*State, error) {
	return (&State{}).Rescan(ctx, dir, renamed...)
}

// Rescan is [Scan] for a root whose earlier state is s. What takes a call for each
// file is taken from there where the ctime says that nothing has changed.
func (s *State) Rescan(ctx context.Context, dir string, renamed ...string) (*State, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("looking through root folder: %w", err)
	}
	defer root.Close()
	top, err := root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("looking through root folder: %w", err)
	}
	defer top.Close()
	w := &scanner{dir: dir, root: root, top: int(top.Fd()), renamed: renamed, state: &State{}}
	w.state.top.name = "."
	w.state.top.mode = unix.S_IFDIR
	var walking context.Context
	w.group, walking = errgroup.WithContext(ctx)
	w.group.SetLimit(2 * runtime.GOMAXPROCS(0))
	w.group.Go(func() error { return w.folder(walking, ".", &s.top, &w.state.top) })
	if err := w.group.Wait(); err != nil {
		return nil, fmt.Errorf("looking through root folder: %w", err)
	}
	return w.state, w.state.outwait(ctx, fileClock)
}

// scanner is one walk. Its folders are read side by side.
type scanner struct {
	dir     string
	root    *os.Root
	top     int // descriptor of the root
	renamed []string
	group   *errgroup.Group

	mu    sync.Mutex
	state *State
}

// folder reads one folder, which was old before, and sees to those below it.
func (s *scanner) folder(ctx context.Context, name string, old, n *node) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := s.children(name, old.below(), n); err != nil {
		return err
	}
	for before, child := range pairs(old.below(), n.children) {
		if child == nil || !child.isFolder() {
			continue
		}
		below := path.Join(name, child.name)
		if !s.group.TryGo(func() error { return s.folder(ctx, below, before, child) }) {
			if err := s.folder(ctx, below, before, child); err != nil {
				return err
			}
		}
	}
	return nil
}

// children reads what is directly in a folder, where old was before.
func (s *scanner) children(folder string, old []node, n *node) error {
	descriptor, err := unix.Openat(s.top, folder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: folder, Err: err}
	}
	file := os.NewFile(uintptr(descriptor), folder)
	defer file.Close()
	names, err := file.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	n.children = make([]node, 0, len(names))
	var latest int64
	fine, digests := false, slices.Contains(s.renamed, folder)
	for _, name := range names {
		var stat unix.Stat_t
		if err := unix.Fstatat(descriptor, name, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &os.PathError{Op: "lstat", Path: path.Join(folder, name), Err: err}
		}
		if stat.Mode&unix.S_IFMT == unix.S_IFSOCK {
			continue
		}
		child := newNode(name, &stat)
		if before := find(old, name); before != nil && before.identity() == child.identity() && before.changed == child.changed {
			child.name, child.extra = before.name, before.extra
		} else if err := s.addDetails(folder, &child, digests); err != nil {
			return err
		}
		latest = max(latest, child.changed)
		fine = fine || child.changed%int64(time.Second) != 0
		n.children = append(n.children, child)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.latest = max(s.state.latest, latest)
	s.state.fine = s.state.fine || fine
	return nil
}

// find returns the node of that name in a sorted list, or nil.
func find(nodes []node, name string) *node {
	i, found := slices.BinarySearchFunc(nodes, name, func(n node, name string) int { return strings.Compare(n.name, name) })
	if !found {
		return nil
	}
	return &nodes[i]
}

func newNode(name string, stat *unix.Stat_t) node {
	n := node{
		name: name, inode: stat.Ino, device: uint64(stat.Dev), size: stat.Size,
		changed: stat.Ctim.Nano(), modified: int64(stat.Mtim.Sec), nanos: uint32(stat.Mtim.Nsec),
		mode: stat.Mode, uid: stat.Uid, gid: stat.Gid, links: uint32(stat.Nlink),
	}
	if kind := stat.Mode & unix.S_IFMT; kind == unix.S_IFCHR || kind == unix.S_IFBLK {
		n.special = uint64(stat.Rdev)
	}
	return n
}

// addDetails reads what few files have.
func (s *scanner) addDetails(folder string, n *node, digest bool) (err error) {
	var found extra
	name := path.Join(folder, n.name)
	switch {
	case n.isLink():
		found.link, err = s.root.Readlink(name)
	case n.isRegular():
		if found.capabilities, err = attribute(path.Join(s.dir, name), capabilities); err == nil && digest {
			found.content, err = s.digest(name)
		}
	}
	if found != (extra{}) {
		n.extra = &found
	}
	return err
}

// attribute returns an extended attribute of a file, or "".
func attribute(file, name string) (string, error) {
	value := make([]byte, 128)
	for {
		n, err := unix.Lgetxattr(file, name, value)
		switch {
		case errors.Is(err, unix.ERANGE):
			value = make([]byte, 2*len(value))
			continue
		case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
			return "", nil
		case err != nil:
			return "", &os.PathError{Op: "getxattr", Path: file, Err: err}
		}
		return string(value[:n]), nil
	}
}

// digest returns a digest of a file's content.
func (s *scanner) digest(name string) (string, error) {
	file, err := s.root.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content := sha256.New()
	if _, err := io.Copy(content, file); err != nil {
		return "", err
	}
	return string(content.Sum(nil)), nil
}

// fileClock is the clock that the kernel takes a file's times from.
func fileClock() time.Time {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now); err != nil {
		return time.Now()
	}
	return time.Unix(now.Unix())
}
