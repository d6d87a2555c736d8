package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Parts of /proc with which root could change or learn of the machine, also
// without capabilities: those that are shown and not written, and those that are
// hidden.
var (
	procReadOnly = []string{"bus", "fs", "irq", "sys", "sysrq-trigger"}
	procHidden   = []string{"acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats"}
)

// proc shows the processes of the sandbox or, where it has none of its own, all.
func (m *mounter) proc(shared bool) error {
	target, err := m.folder("/proc")
	if err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if shared {
		// What is hidden outside stays hidden.
		if err := unix.Mount(m.host+"/proc", target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("mounting the machine's /proc: %w", err)
		}
	} else if err := unix.Mount("proc", target, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, name := range procReadOnly {
		path := filepath.Join(target, name)
		if err := bind(path, path, true); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("protecting %s: %w", path, err)
		}
	}
	for _, name := range procHidden {
		if err := m.hide(filepath.Join(target, name)); err != nil {
			return err
		}
	}
	return nil
}

// hide puts nothing in the place of a file or folder.
func (m *mounter) hide(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && info.IsDir():
		err = unix.Mount("tmpfs", path, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=0")
	case err == nil:
		err = unix.Mount(m.host+"/dev/null", path, "", unix.MS_BIND, "")
	}
	if err != nil {
		return fmt.Errorf("hiding %s: %w", path, err)
	}
	return nil
}

// sys shows the machine's devices and file systems, to be read only. Commands
// that need it are rare: where it cannot be had, it is absent.
func (m *mounter) sys(r Rung) {
	target, err := m.folder("/sys")
	if err != nil {
		return
	}
	if r == Mounts {
		const flags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
		err = unix.Mount("sysfs", target, "sysfs", flags, "")
	} else if err = unix.Mount(m.host+"/sys", target, "", unix.MS_BIND|unix.MS_REC, ""); err == nil {
		err = unix.MountSetattr(-1, target, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	}
	if err == nil {
		err = m.hide(filepath.Join(target, "firmware"))
	}
	if err != nil {
		_ = unix.Unmount(target, unix.MNT_DETACH) // it may not be mounted
	}
}

// devices makes a /dev of the devices that every program may expect.
func (m *mounter) devices() error {
	target, err := m.folder("/dev")
	if err != nil {
		return fmt.Errorf("mounting /dev: %w", err)
	}
	if err := unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755,size=64k"); err != nil {
		return fmt.Errorf("mounting /dev: %w", err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		path := filepath.Join(target, name)
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount(m.host+"/dev/"+name, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", path, err)
		}
	}
	for name, to := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(to, filepath.Join(target, name)); err != nil {
			return err
		}
	}
	pts, shm := filepath.Join(target, "pts"), filepath.Join(target, "shm")
	if err := errors.Join(os.Mkdir(pts, 0o755), os.Mkdir(shm, 0o755)); err != nil {
		return err
	}
	const options = "newinstance,ptmxmode=0666,mode=0620"
	err = unix.Mount("devpts", pts, "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, options+",gid=5")
	if err != nil { // a user namespace may not know the group tty
		err = unix.Mount("devpts", pts, "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, options)
	}
	if err != nil {
		return fmt.Errorf("mounting %s: %w", pts, err)
	}
	if err := unix.Mount("tmpfs", shm, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=1777,size=64m"); err != nil {
		return fmt.Errorf("mounting %s: %w", shm, err)
	}
	return messageQueues(filepath.Join(target, "mqueue"))
}

// messageQueues mounts those of POSIX, where the kernel has them.
func messageQueues(target string) error {
	if err := os.Mkdir(target, 0o755); err != nil {
		return err
	}
	if unix.Mount("mqueue", target, "mqueue", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "") != nil {
		return os.Remove(target)
	}
	return nil
}
