package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// isolate gives this process the root of s as "/", with everything mounted on
// it. All of it goes with the mount namespace, but for what it made to mount on.
func (s spec) isolate() ([]stub, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("keeping mounts private: %w", err)
	}
	// What the sandbox itself brings is in memory only.
	if err := unix.Mount("tmpfs", s.Work, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=700"); err != nil {
		return nil, fmt.Errorf("mounting memory: %w", err)
	}
	if err := unix.Mount(s.Root, s.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return nil, fmt.Errorf("mounting the image's files: %w", err)
	}
	unix.Umask(0)
	m := &mounter{root: "/"}
	leave, err := m.pivot(s.Root)
	if err != nil {
		return m.made, err
	}
	if err := m.all(s); err != nil {
		return m.made, err
	}
	return m.made, leave()
}

// mounter mounts in the image's root folder.
type mounter struct {
	root string // "/" once it is this process's
	host string // where the former root folder is then
	made []stub
}

// pivot changes the root folder. leave lets go of the former one.
func (m *mounter) pivot(root string) (leave func() error, err error) {
	before, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	host, err := os.MkdirTemp(root, ".outside-")
	if err != nil {
		return nil, fmt.Errorf("writing to the image's files: %w", err)
	}
	if err := unix.PivotRoot(root, host); err != nil {
		return nil, errors.Join(fmt.Errorf("changing the root folder: %w", err), os.Remove(host))
	}
	m.host = "/" + filepath.Base(host)
	leave = func() error {
		if err := unix.Unmount(m.host, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("leaving this machine's files: %w", err)
		}
		return removeIn("/", filepath.Base(m.host))
	}
	return leave, errors.Join(os.Chdir("/"), os.Chtimes("/", time.Time{}, before.ModTime()))
}

// removeIn removes an entry of a folder, whose time of change stays.
func removeIn(dir, name string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		return err
	}
	return os.Chtimes(dir, time.Time{}, info.ModTime())
}

// all mounts what every command sees, and then what this one was given.
func (m *mounter) all(s spec) error {
	if err := m.proc(s.Shared); err != nil {
		return err
	}
	if err := m.devices(); err != nil {
		return err
	}
	m.sys(s.Rung)
	work := filepath.Join(m.host, s.Work)
	for i, f := range s.Files {
		if err := m.file(filepath.Join(work, "file-"+strconv.Itoa(i)), f); err != nil {
			return fmt.Errorf("mounting %s: %w", f.Target, err)
		}
	}
	for i, given := range s.Mounts {
		var err error
		if given.Kind == Secret {
			err = m.file(filepath.Join(work, "secret-"+strconv.Itoa(i)), *given.Secret)
		} else {
			err = m.mount(given)
		}
		if err != nil {
			return fmt.Errorf("mounting %s: %w", given.Target, err)
		}
	}
	return nil
}

// mount mounts a folder or file from outside, or an empty folder.
func (m *mounter) mount(given mount) error {
	if given.Kind == Tmpfs {
		target, err := m.folder(given.Target)
		if err != nil {
			return err
		}
		options := "mode=1777"
		if given.Size > 0 {
			options += ",size=" + strconv.FormatInt(given.Size, 10)
		}
		return unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
	}
	source := filepath.Join(m.host, given.Source)
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	point := m.folder
	if !info.IsDir() {
		point = m.placeholder
	}
	target, err := point(given.Target)
	if err != nil {
		return err
	}
	return bind(source, target, given.ReadOnly)
}

// file writes a file to path, in memory, and mounts it.
func (m *mounter) file(path string, f file) error {
	if err := os.WriteFile(path, []byte(f.Content), os.FileMode(f.Mode)); err != nil {
		return err
	}
	if err := os.Chown(path, f.UID, f.GID); err != nil {
		return err
	}
	target, err := m.placeholder(f.Target)
	if err != nil {
		return err
	}
	return bind(path, target, f.ReadOnly)
}

// bind shows a file or folder of the machine at target.
func bind(source, target string, readOnly bool) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if readOnly {
		return lock(target)
	}
	return nil
}

// lock makes a mount read-only, with those below it where the kernel can (5.12).
// Its other flags stay, since a user namespace may not take them away.
func lock(target string) error {
	all := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if unix.MountSetattr(-1, target, unix.AT_RECURSIVE, all) == nil {
		return nil
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(target, &fs); err != nil {
		return err
	}
	flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY)
	for has, keep := range map[int64]uintptr{
		unix.ST_NOSUID: unix.MS_NOSUID, unix.ST_NODEV: unix.MS_NODEV, unix.ST_NOEXEC: unix.MS_NOEXEC,
		unix.ST_NOATIME: unix.MS_NOATIME, unix.ST_NODIRATIME: unix.MS_NODIRATIME, unix.ST_RELATIME: unix.MS_RELATIME,
	} {
		if int64(fs.Flags)&has != 0 {
			flags |= keep
		}
	}
	return unix.Mount("", target, "", flags, "")
}
