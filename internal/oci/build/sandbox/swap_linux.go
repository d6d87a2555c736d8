package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// runSwapped is [Sandbox.Run] on the rung [Swap]: one after the other, since
// there is only one "/".
func (s *Sandbox) runSwapped(ctx context.Context, c Command, sp spec) error {
	alone, err := lockFolder(s.options.Own)
	if err != nil {
		return err
	}
	defer alone.Close()
	if err := sameVolume("/", c.Root); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(s.options.Own, "aside-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.Remove(aside) // not with all below: what could not be put back stays there
	ours, err := takeInventory(s.options.Own)
	if err != nil {
		return err
	}
	watched, err := watch(s.options.Watched)
	if err != nil {
		return err
	}
	placed := newPlacer(c.Root, filepath.Dir(sp.Work))
	hidden := &keptFiles{content: map[string][]byte{}}
	mounts := slices.DeleteFunc(newMounts(c.Mounts), func(m mount) bool { return m.Kind == Shared })
	err = errors.Join(placed.all(ctx, mounts), hidden.empty(s.options.Hidden))
	if err == nil {
		err = s.swapAndRun(ctx, c, sp, aside, placed, hidden)
	}
	err = errors.Join(err, hidden.restore(), placed.remove())
	return errors.Join(err, ours.check(), watched.check())
}

// swapAndRun runs a command with the entries of its root in "/".
func (s *Sandbox) swapAndRun(ctx context.Context, c Command, sp spec, aside string, placed *placer, hidden *keptFiles) error {
	w := &swapper{root: c.Root, aside: aside, pinned: append(sharedEntries(c.Mounts), s.options.Own)}
	points, err := mountPoints()
	if err != nil {
		return err
	}
	w.mounts = points
	kept, err := keepFiles(append(slices.Clone(sp.Files), file{Target: hostname}), "/dev", "/dev/shm")
	if err != nil {
		return err
	}
	if err := w.in(); err != nil {
		return errors.Join(fmt.Errorf("putting the image's files into /: %w", err), w.out(nil))
	}
	err = kept.write(sp.Files)
	if err == nil {
		err = s.runInPlace(ctx, c, sp, newUndo(c.Root, w, placed, kept, hidden))
	}
	return errors.Join(err, kept.restore(), w.out(c.Moved))
}

// runInPlace runs a command whose files are in "/".
func (s *Sandbox) runInPlace(ctx context.Context, c Command, sp spec, back *undo) error {
	lent, err := lend(hostname, filepath.Join(c.Root, hostname))
	if err == nil {
		_, err = s.launch(ctx, sp, back, nil, c.Output)
	}
	return errors.Join(err, lent.takeBack())
}

// sharedEntries are the entries of "/" with what a command shares.
func sharedEntries(mounts []Mount) []string {
	var paths []string
	for _, m := range mounts {
		if m.Kind == Shared {
			name, _, _ := strings.Cut(strings.TrimPrefix(filepath.Clean(m.Source), "/"), "/")
			paths = append(paths, "/"+name)
		}
	}
	return paths
}

// lockFolder waits until nobody else holds the folder, in this process or
// another. Closing lets go of it.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking %q: %w", dir, err), f.Close())
	}
	return f, nil
}

// sameVolume makes sure that entries can be renamed from one folder to another.
func sameVolume(a, b string) error {
	var first, second unix.Stat_t
	if err := errors.Join(unix.Stat(a, &first), unix.Stat(b, &second)); err != nil {
		return err
	}
	if first.Dev != second.Dev {
		return fmt.Errorf("running a command in %q: it is on another volume than %s", b, a)
	}
	return nil
}

// etc is the one folder whose entries are swapped one by one, since the
// machine's names of hosts are mounted in it.
const etc = "etc"

// hostname belongs to the image, and is mounted in a container.
const hostname = "/etc/hostname"

// swapper exchanges the entries of a root with those of "/".
type swapper struct {
	root, aside string
	pinned      []string // paths that stay, beside the mount points
	mounts      []string
	moved       []movedEntry
	full        bool // entries of the root are in "/"
	split       bool // those of etc are swapped one by one
	lacks       bool // the root has no etc of its own
}

// movedEntry is an entry of the root that went to "/".
type movedEntry struct {
	name  string // from the root
	ctime unix.Timespec
}

// in puts ours aside and the entries of the root in their place. After an error
// out puts back what was done of that.
func (w *swapper) in() error {
	if err := w.prepare(); err != nil {
		return err
	}
	if err := w.each("/", w.putAside); err != nil {
		return err
	}
	w.full = true
	return w.each(w.root, func(name string) error {
		if err := move(filepath.Join(w.root, name), filepath.Join("/", name)); err != nil {
			return err
		}
		now, err := ctime(filepath.Join("/", name))
		w.moved = append(w.moved, movedEntry{name, now})
		return err
	})
}

// putAside moves one entry of "/". A folder that cannot be renamed and that
// others are mounted in stays, since taking it apart would move their files.
func (w *swapper) putAside(name string) error {
	path := filepath.Join("/", name)
	below := slices.ContainsFunc(w.mounts, func(m string) bool { return strings.HasPrefix(m, path+"/") })
	err := os.Rename(path, filepath.Join(w.aside, name))
	if below && errors.Is(err, unix.EXDEV) {
		w.pinned = append(w.pinned, path)
		return nil
	}
	if errors.Is(err, unix.EXDEV) {
		err = move(path, filepath.Join(w.aside, name))
	}
	return err
}

// out is the inverse of in. It goes on after errors, so that as much as possible
// is where it was.
func (w *swapper) out(moved func(string)) error {
	var errs []error
	if w.full {
		unchanged := w.unchanged()
		errs = append(errs, w.each("/", func(name string) error {
			return move(filepath.Join("/", name), filepath.Join(w.root, name))
		}))
		for _, name := range unchanged {
			if moved != nil {
				moved(name)
			}
		}
	}
	errs = append(errs, w.each(w.aside, func(name string) error {
		return move(filepath.Join(w.aside, name), filepath.Join("/", name))
	}))
	if w.split {
		errs = append(errs, os.Remove(filepath.Join(w.aside, etc)))
	}
	if w.lacks {
		_ = os.Remove(filepath.Join(w.root, etc)) // the command can have put something there
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("putting this container's files back: %w", err)
	}
	return nil
}

// unchanged returns the entries that the command left as they came.
func (w *swapper) unchanged() []string {
	var names []string
	for _, m := range w.moved {
		if now, err := ctime(filepath.Join("/", m.name)); err == nil && now == m.ctime {
			names = append(names, m.name)
		}
	}
	return names
}

// each calls fn for the entries of dir that are to be swapped, by their names
// from there. Its errors do not end it.
func (w *swapper) each(dir string, fn func(name string) error) error {
	names, err := list(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if name != etc || !w.split {
			if !w.stays(name) {
				errs = append(errs, fn(name))
			}
			continue
		}
		inside, err := list(filepath.Join(dir, etc))
		errs = append(errs, err)
		for _, entry := range inside {
			if name := filepath.Join(etc, entry); !w.stays(name) {
				errs = append(errs, fn(name))
			}
		}
	}
	return errors.Join(errs...)
}

// prepare makes the folder etc wherever its entries come from or go to.
func (w *swapper) prepare() error {
	info, err := os.Lstat(filepath.Join("/", etc))
	if err != nil || !info.IsDir() {
		return nil // then the root's goes there as a whole
	}
	w.split = true
	info, err = os.Lstat(filepath.Join(w.root, etc))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.lacks = true
		err = os.Mkdir(filepath.Join(w.root, etc), 0o755)
	case err == nil && !info.IsDir():
		err = errors.New("/etc of the image is no folder")
	}
	return errors.Join(err, os.Mkdir(filepath.Join(w.aside, etc), 0o700))
}

// stays reports whether an entry of "/" cannot or must not be moved.
func (w *swapper) stays(name string) bool {
	path := filepath.Join("/", name)
	machines := []string{"/etc/resolv.conf", "/etc/hosts", hostname, "/proc", "/sys", "/dev"}
	return slices.Contains(machines, path) || slices.Contains(w.pinned, path) || slices.Contains(w.mounts, path)
}

func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

func ctime(path string) (unix.Timespec, error) {
	var stat unix.Stat_t
	err := unix.Lstat(path, &stat)
	return stat.Ctim, err
}

// mountPoints returns where file systems are mounted.
func mountPoints() ([]string, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("listing mount points: %w", err)
	}
	var points []string
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			points = append(points, unescape(fields[4]))
		}
	}
	return points, nil
}

// unescape reads a path of the table of mounts, where spaces and the like are
// three octal digits after a backslash.
func unescape(path string) string {
	var plain strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) {
			if n, err := strconv.ParseUint(path[i+1:i+4], 8, 8); err == nil {
				plain.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		plain.WriteByte(path[i])
	}
	return plain.String()
}
