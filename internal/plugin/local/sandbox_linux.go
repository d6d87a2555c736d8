package local

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// rungs returns what this user can hope for, best first.
func rungs() []rung {
	if os.Geteuid() == 0 {
		return []rung{namespaces, userNamespaces, changedRoot, inPlace}
	}
	return []rung{userNamespaces, inPlace}
}

// ownExecutable is this program, even after its file was replaced or removed.
func ownExecutable() string { return "/proc/self/exe" }

// attributes returns how the process of s is to be cloned.
func (s sandbox) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	switch s.Rung {
	case namespaces:
		attr.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC
	case userNamespaces:
		attr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC
		// The program may see itself as any one user; these are what it takes
		// to change the root folder before it starts.
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_SETPCAP}
		if os.Geteuid() == 0 {
			everyone := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1 << 16}}
			attr.UidMappings, attr.GidMappings, attr.GidMappingsEnableSetgroups = everyone, everyone, true
		} else {
			attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: s.User.UID, HostID: os.Geteuid(), Size: 1}}
			attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: s.User.GID, HostID: os.Getegid(), Size: 1}}
		}
	}
	return attr
}

// isolate gives this process the root folder of s. Its notes are what the
// program has to do without.
func (s sandbox) isolate() (notes []string, err error) {
	if s.Rung == inPlace {
		return []string{"not isolated: this machine permits neither namespaces nor another root folder"}, nil
	}
	if err := copyNetworkFiles(s.Root); err != nil {
		notes = append(notes, err.Error())
	}
	if s.Rung == changedRoot {
		if err := unix.Chroot(s.Root); err != nil {
			return nil, fmt.Errorf("changing the root folder: %w", err)
		}
		if err := os.Chdir("/"); err != nil {
			return nil, err
		}
		if err := makeDevices(); err != nil {
			notes = append(notes, err.Error())
		}
		return append(notes, "no /proc"), nil
	}
	host, err := pivot(s.Root)
	if err != nil {
		return nil, err
	}
	if err := mountProc(); err != nil {
		notes = append(notes, err.Error())
	}
	if err := bindDevices(host); err != nil {
		notes = append(notes, err.Error())
	}
	if err := unix.Unmount(host, unix.MNT_DETACH); err != nil {
		return nil, fmt.Errorf("leaving this machine's files: %w", err)
	}
	return notes, os.Remove(host)
}

// copyNetworkFiles gives the image this machine's names of hosts, as container
// engines do. Links in the image are not followed out of it.
func copyNetworkFiles(path string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range []string{"etc/resolv.conf", "etc/hosts"} {
		data, err := os.ReadFile("/" + name)
		if err != nil {
			continue // this machine does without
		}
		if now, err := root.ReadFile(name); err == nil && bytes.Equal(now, data) {
			continue
		}
		if err := root.MkdirAll("etc", 0o755); err != nil {
			return err
		}
		if err := root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := root.WriteFile(name, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pivot makes root the root folder of this mount namespace and returns where
// in it the former one is.
func pivot(root string) (host string, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("keeping mounts private: %w", err)
	}
	if err := unix.Mount(root, root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return "", fmt.Errorf("mounting the image's files: %w", err)
	}
	host, err = os.MkdirTemp(root, ".host-")
	if err != nil {
		return "", err
	}
	if err := unix.PivotRoot(root, host); err != nil {
		return "", errors.Join(fmt.Errorf("changing the root folder: %w", err), os.Remove(host))
	}
	return "/" + filepath.Base(host), os.Chdir("/")
}

func mountProc() error {
	if err := os.MkdirAll("/proc", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("no /proc: %w", err)
	}
	return nil
}

// devices are what programs expect in /dev, with their major and minor numbers.
var devices = []struct {
	name         string
	major, minor uint32
}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}

// bindDevices makes a /dev from the devices of this machine, which lies at host.
func bindDevices(host string) error {
	if err := os.MkdirAll("/dev", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/dev", "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755,size=64k"); err != nil {
		return fmt.Errorf("no /dev: %w", err)
	}
	for _, device := range devices {
		path := "/dev/" + device.name
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount(host+path, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("no %s: %w", path, err)
		}
	}
	if err := os.Mkdir("/dev/shm", 0o777); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=1777,size=64m"); err != nil {
		return fmt.Errorf("no /dev/shm: %w", err)
	}
	var errs []error
	for target, link := range map[string]string{
		"/proc/self/fd": "fd", "/proc/self/fd/0": "stdin", "/proc/self/fd/1": "stdout", "/proc/self/fd/2": "stderr",
	} {
		errs = append(errs, os.Symlink(target, "/dev/"+link))
	}
	return errors.Join(errs...)
}

// makeDevices makes the devices in the image's own /dev.
func makeDevices() error {
	if err := os.MkdirAll("/dev", 0o755); err != nil {
		return err
	}
	for _, device := range devices {
		path := "/dev/" + device.name
		err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(device.major, device.minor)))
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err == nil {
			err = os.Chmod(path, 0o666) // the mask of this process took some of it
		}
		if err != nil {
			return fmt.Errorf("no %s: %w", path, err)
		}
	}
	return nil
}

// kept are the capabilities of a program that runs as root: those that
// container engines leave it, without the ones that make devices, leave a
// changed root or read the network.
var kept = []int{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL, unix.CAP_SETGID,
	unix.CAP_SETUID, unix.CAP_SETPCAP, unix.CAP_SETFCAP, unix.CAP_NET_BIND_SERVICE, unix.CAP_AUDIT_WRITE,
}

// become runs the program in place of this process, as its user. The parent
// holds the other end of alive as long as it lives.
func (s sandbox) become(alive *os.File) error {
	var prefix string
	if s.Rung == inPlace {
		prefix = s.Root
	}
	if err := os.MkdirAll(prefix+s.Dir, 0o755); err != nil {
		return err
	}
	if err := os.Chdir(prefix + s.Dir); err != nil {
		return err
	}
	if err := s.dropRights(); err != nil {
		return err
	}
	program, err := s.find(prefix)
	if err != nil {
		return err
	}
	// Changing the user has cleared this.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	poll := []unix.PollFd{{Fd: int32(alive.Fd()), Events: unix.POLLIN}}
	if _, err := unix.Poll(poll, 0); err == nil && poll[0].Revents&unix.POLLHUP != 0 {
		return errors.New("the supervisor ended meanwhile")
	}
	err = unix.Exec(program, s.Command, s.Env)
	if errors.Is(err, unix.ENOEXEC) {
		return fmt.Errorf("%s is for another kind of machine, or a script without its first line: %w", program, err)
	}
	return fmt.Errorf("%s: %w", program, err)
}

// dropRights makes this process the user, who can gain nothing back.
func (s sandbox) dropRights() error {
	if os.Geteuid() == 0 || s.Rung != inPlace {
		if err := dropCapabilities(); err != nil {
			return err
		}
	}
	if !s.OneUser {
		if err := syscall.Setgroups(s.User.Groups); err != nil {
			return fmt.Errorf("joining groups %v: %w", s.User.Groups, err)
		}
		if err := syscall.Setgid(s.User.GID); err != nil {
			return fmt.Errorf("becoming group %d: %w", s.User.GID, err)
		}
		if err := syscall.Setuid(s.User.UID); err != nil {
			return fmt.Errorf("becoming user %d: %w", s.User.UID, err)
		}
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

func dropCapabilities() error {
	var keep uint64
	for _, capability := range kept {
		keep |= 1 << capability
	}
	for capability := range unix.CAP_LAST_CAP + 1 {
		if keep&(1<<capability) != 0 {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(capability), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // this kernel knows fewer capabilities than this program
		}
		if err != nil {
			return fmt.Errorf("dropping capability %d: %w", capability, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	return nil
}

// closeInherited closes what whoever started us left open by mistake, so that
// nobody waits for its end in vain. What Go opens closes itself on exec, and so
// do the descriptors of a helper; all others were inherited.
func closeInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || fd <= 2 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}

// leftovers ends the processes of a deployment that outlived its supervisor.
// They are told by their environment.
func leftovers(mark string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	wanted := []byte("\x00" + envMark + "=" + mark + "\x00")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		environ, err := os.ReadFile("/proc/" + entry.Name() + "/environ")
		if err != nil || !bytes.Contains(append([]byte{0}, environ...), wanted) {
			continue
		}
		if process, err := os.FindProcess(pid); err == nil {
			// It may have ended by itself.
			_ = process.Kill()
			process.Release()
		}
	}
}
