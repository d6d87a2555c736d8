// Command hostile looks for a text that it must not find, in every way that
// others have found, and for powers that it must not have. It prints a line for
// each attempt: its name, and "nothing" or what it found.
//
//	hostile FIRST-HALF SECOND-HALF FILE
//
// The halves make the text, so that it is not on any command line; FILE is a
// path outside that holds it.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

var (
	text    []byte
	outside string
	own     = strconv.Itoa(os.Getpid())
)

// attempt returns what it found, or "".
type attempt struct {
	name string
	try  func() string
}

var attempts = []attempt{
	{"own environment", func() string { return holds("environment", []byte(strings.Join(os.Environ(), "\n"))) }},
	{"environments of processes", func() string { return inProcesses("environ") }},
	{"command lines of processes", func() string { return inProcesses("cmdline") }},
	{"memory of processes", memory},
	{"reading memory by system call", readvMemory},
	{"tracing processes", trace},
	{"root folders of processes", func() string { return inProcesses("root" + outside) }},
	{"working folders of processes", func() string { return inProcesses("cwd" + "/" + filepath.Base(outside)) }},
	{"descriptors of processes", descriptors},
	{"maps of processes", func() string { return otherLinks("exe") }},
	{"inherited descriptors", inherited},
	{"the file's path", func() string { return inFile(outside) }},
	{"leaving a changed root", leaveRoot},
	{"entering the namespaces of others", enterNamespaces},
	{"making a device", makeDevice},
	{"the machine's memory", func() string { return inFiles("/dev/mem", "/dev/kmem", "/proc/kcore", "/dev/vda", "/dev/sda") }},
	{"mounting", mountSomething},
	{"opening by handle", openByHandle},
	{"kernel settings", kernelSettings},
	{"keys", keys},
	{"raw sockets", rawSocket},
	{"the Docker engine", dockerSocket},
	{"loading a module", func() string { return done(unix.FinitModule(0, "", 0)) }},
	{"putting words into a terminal", terminal},
	{"gaining privileges", privileges},
	{"the host's name", func() string { return done(unix.Sethostname([]byte("taken"))) }},
	{"the clock", func() string { return done(unix.Settimeofday(&unix.Timeval{Sec: 1})) }},
	{"restarting the machine", func() string { return done(unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF)) }},
	{"the job's command files", func() string { return inFolders("github/file_commands", "github/runner_temp", "__w/_temp") }},
	{"the journal", journal},
	{"the runner's folders", func() string { return inFolders("__w", "__e", "github/workflow", "github/workspace") }},
	{"logins of registries", func() string {
		return inFolders("github/home", "root/.docker", filepath.Join(filepath.Dir(outside), ".docker"))
	}},
	{"what a token is asked for with", tokenRequest},
	{"signals to the first process", signals},
	{"core dumps", coreDumps},
	{"descriptors by system call", takenDescriptors},
	{"coming back from a new user namespace", newNamespace},
}

func main() {
	runtime.LockOSThread()
	text, outside = []byte(os.Args[1]+os.Args[2]), os.Args[3]
	for _, a := range attempts {
		found := a.try()
		if found == "" {
			found = "nothing"
		}
		fmt.Printf("%s: %s\n", a.name, found)
	}
}

// done tells of a system call that should not have succeeded.
func done(err error) string {
	if err == nil {
		return "it succeeded"
	}
	return ""
}

func holds(where string, data []byte) string {
	if bytes.Contains(data, text) {
		return "found in " + where
	}
	return ""
}

func inFile(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return holds(path, data)
}

func inFiles(paths ...string) string {
	for _, path := range paths {
		if f, err := os.Open(path); err == nil {
			n, _ := f.Read(make([]byte, 1))
			f.Close()
			if n > 0 {
				return path + " can be read"
			}
		}
	}
	return ""
}

func leaveRoot() string {
	dir, err := os.MkdirTemp("", "root-")
	if err != nil {
		return ""
	}
	defer os.RemoveAll(dir)
	return done(unix.Chroot(dir)) // the rest of the way is easy
}

func enterNamespaces() string {
	for _, pid := range others() {
		n, _ := strconv.Atoi(pid)
		for _, kind := range []string{"user", "mnt", "pid"} {
			fd, err := unix.Open("/proc/"+pid+"/ns/"+kind, unix.O_RDONLY, 0)
			if err != nil {
				continue
			}
			err = unix.Setns(fd, 0)
			unix.Close(fd)
			if err == nil && !mine(n) {
				return kind + " of " + pid
			}
		}
	}
	return ""
}

func makeDevice() string {
	path := filepath.Join(os.TempDir(), "device")
	defer os.Remove(path)
	return done(unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(254, 0))))
}

func mountSomething() string {
	dir, err := os.MkdirTemp("", "mount-")
	if err != nil {
		return ""
	}
	defer os.RemoveAll(dir)
	for _, kind := range []string{"tmpfs", "proc", "devtmpfs", "sysfs"} {
		if unix.Mount(kind, dir, kind, 0, "") == nil {
			return kind + " was mounted"
		}
	}
	if unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND, "") == nil || unix.Unmount("/proc/sys", unix.MNT_DETACH) == nil {
		return "/proc/sys was freed"
	}
	return ""
}

func openByHandle() string {
	f, err := os.Open("/")
	if err != nil {
		return ""
	}
	defer f.Close()
	root := unix.NewFileHandle(1, []byte{2, 0, 0, 0, 0, 0, 0, 0})
	fd, err := unix.OpenByHandleAt(int(f.Fd()), root, unix.O_RDONLY)
	if err == nil {
		unix.Close(fd)
	}
	return done(err)
}

func kernelSettings() string {
	for _, name := range []string{"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/sys/kernel/mm/ksm/run"} {
		if f, err := os.OpenFile(name, os.O_WRONLY, 0); err == nil {
			f.Close()
			return name + " can be written"
		}
	}
	return ""
}

func keys() string {
	id, err := unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", "sandbox-test", 0)
	if err != nil {
		return ""
	}
	data := make([]byte, 100)
	n, _ := unix.KeyctlBuffer(unix.KEYCTL_READ, id, data, 0)
	return holds("a key", data[:max(0, min(n, len(data)))])
}

func rawSocket() string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
	if err == nil {
		unix.Close(fd)
		return "it was made"
	}
	return ""
}

func dockerSocket() string {
	for _, path := range []string{"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

func terminal() string {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	c := byte('x')
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.TIOCSTI, uintptr(unsafe.Pointer(&c)))
	if errno == 0 {
		return "a letter was put"
	}
	return ""
}

func privileges() string {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range []string{"NoNewPrivs:\t1\n", "CapBnd:\t00000000a00005fb\n"} {
		if !strings.Contains(string(status), line) {
			return "the state lacks " + line
		}
	}
	return ""
}

// newNamespace makes a user namespace, in which it has every capability, and
// tries to see the machine from there.
func newNamespace() string {
	if unix.Unshare(unix.CLONE_NEWUSER|unix.CLONE_NEWNS) != nil {
		return ""
	}
	if unix.Unmount("/proc/sys", unix.MNT_DETACH) == nil || unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND, "") == nil {
		return "/proc/sys was freed"
	}
	if unix.Mount("proc", os.TempDir(), "proc", 0, "") == nil {
		return "another /proc was mounted"
	}
	return inFile(outside)
}
