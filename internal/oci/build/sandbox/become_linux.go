package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// kept are the capabilities of a command that runs as root: those that
// container engines leave it, without the ones that make devices, leave a
// changed root or read the network.
var kept = []int{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL, unix.CAP_SETGID,
	unix.CAP_SETUID, unix.CAP_SETPCAP, unix.CAP_SETFCAP, unix.CAP_NET_BIND_SERVICE, unix.CAP_AUDIT_WRITE,
}

func keptSet() uint64 {
	var set uint64
	for _, capability := range kept {
		set |= 1 << capability
	}
	return set
}

// defaultPath is where programs are looked for when the environment does not
// say it, as container engines have it.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// become runs the command in place of this process, whose root folder is the
// image's by now. The parent holds the other end of alive as long as it lives.
func (s spec) become(alive *os.File, say *json.Encoder) error {
	u, err := lookupUser("/", s.User)
	if err != nil {
		return err
	}
	if s.OneUser && (u.uid != 0 || u.gid != 0) {
		return &diag.Problem{
			Summary: fmt.Sprintf("No user %q can be had here", s.User),
			Detail: "This machine permits a user namespace with one user only, which is root of the image. Run this as root, " +
				"or leave the instruction USER to after the last RUN.",
		}
	}
	unix.Umask(0o022)
	dir := filepath.Join("/", s.Dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the working folder: %w", err)
	}
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("entering the working folder: %w", err)
	}
	if err := s.dropRights(u); err != nil {
		return err
	}
	if s.Probe {
		return say.Encode(report{Started: true})
	}
	env := s.environment(u)
	program, err := find(s.Args[0], dir, env)
	if err != nil {
		return err
	}
	// Changing the user has cleared this.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	poll := []unix.PollFd{{Fd: int32(alive.Fd()), Events: unix.POLLIN}}
	if _, err := unix.Poll(poll, 0); err == nil && poll[0].Revents&unix.POLLHUP != 0 {
		return errors.New("the build ended meanwhile")
	}
	if err := say.Encode(report{Started: true}); err != nil {
		return err
	}
	err = unix.Exec(program, s.Args, env)
	return notStarted(program, err)
}

// environment is that of the command, with what every one has.
func (s spec) environment(u user) []string {
	env := slices.Clone(s.Env)
	for _, variable := range []string{"PATH=" + defaultPath, "HOME=" + u.home} {
		name, _, _ := strings.Cut(variable, "=")
		if _, ok := lookup(env, name); !ok {
			env = append(env, variable)
		}
	}
	return env
}

func lookup(env []string, name string) (value string, ok bool) {
	for _, variable := range env {
		if v, found := strings.CutPrefix(variable, name+"="); found {
			value, ok = v, true
		}
	}
	return value, ok
}

// dropRights makes this process the user, who can gain nothing back.
func (s spec) dropRights(u user) error {
	// A terminal's or a pipe's owner may open it again, as /dev/stdout.
	for fd := 1; fd <= 2; fd++ {
		_ = unix.Fchown(fd, u.uid, u.gid) // it works without
	}
	// The keys of whoever started us are not the command's. Where the kernel has
	// none, or a filter forbids it, there is nothing to be had of them either.
	_, _, _ = unix.Syscall(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
	if err := bound(); err != nil {
		return err
	}
	if !s.OneUser {
		if err := syscall.Setgroups(u.groups); err != nil {
			return fmt.Errorf("joining groups %v: %w", u.groups, err)
		}
		if err := syscall.Setgid(u.gid); err != nil {
			return fmt.Errorf("becoming group %d: %w", u.gid, err)
		}
		if err := syscall.Setuid(u.uid); err != nil {
			return fmt.Errorf("becoming user %d: %w", u.uid, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("refusing new privileges: %w", err)
	}
	return nil
}

// bound takes all capabilities but [kept] from this process, now and for good.
func bound() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		return fmt.Errorf("reading capabilities: %w", err)
	}
	keep := keptSet()
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
	for i := range have {
		half := uint32(keep >> (32 * i))
		have[i].Permitted &= half
		have[i].Effective &= half
		have[i].Inheritable = 0
	}
	if err := unix.Capset(&header, &have[0]); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	return nil
}

// find returns the path of a program.
func find(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, nil
	}
	path, _ := lookup(env, "PATH")
	for folder := range strings.SplitSeq(path, ":") {
		candidate := filepath.Join(folder, name)
		info, err := os.Stat(candidate)
		if filepath.IsAbs(folder) && err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", &diag.Problem{
		Summary: fmt.Sprintf("No program %q in the image", name),
		Detail: fmt.Sprintf("None of the folders in PATH (%s) has it. A RUN instruction without brackets needs /bin/sh; an image "+
			"made from scratch has no programs at all.", path),
	}
}

// notStarted explains why the kernel refused to run a program.
func notStarted(program string, err error) error {
	detail := "The reason is: " + err.Error() + "."
	switch {
	case errors.Is(err, unix.ENOEXEC):
		detail = "It is for another kind of machine, or a script without a first line that names its interpreter."
	case errors.Is(err, fs.ErrNotExist):
		if _, statErr := os.Lstat(program); statErr == nil {
			detail = "It is there, but what runs it is not: the interpreter of a script, or the loader of a program that is not statically linked."
		} else {
			detail = "There is no such file."
		}
	case errors.Is(err, fs.ErrPermission):
		detail = "The user of the instruction may not run it, or it is not executable."
	}
	return &diag.Problem{Summary: fmt.Sprintf("%s cannot be run in the image", program), Detail: detail}
}

// closeInherited closes what whoever started us left open by mistake. What Go
// opens closes itself on exec, and so do the descriptors of a helper.
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
