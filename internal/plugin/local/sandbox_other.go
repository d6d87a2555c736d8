//go:build unix && !linux

package local

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// rungs returns what this system has.
func rungs() []rung { return []rung{inPlace} }

// ownExecutable is this program.
func ownExecutable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// attributes returns how the process of s is to be started.
func (sandbox) attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// isolate does nothing: only Linux has the means.
func (sandbox) isolate() (notes []string, err error) {
	return []string{"not isolated: only Linux can"}, nil
}

// become runs the program in place of this process.
func (s sandbox) become(*os.File) error {
	if err := os.MkdirAll(s.Root+s.Dir, 0o755); err != nil {
		return err
	}
	if err := os.Chdir(s.Root + s.Dir); err != nil {
		return err
	}
	program, err := s.find(s.Root)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", program, unix.Exec(program, s.Command, s.Env))
}

// closeInherited keeps the descriptors of our helpers from the program. Others
// cannot be listed here.
func closeInherited() {
	for _, fd := range []uintptr{enterSpec, enterReport} {
		// They are closed already in a helper that has none.
		_, _ = unix.FcntlInt(fd, unix.F_SETFD, unix.FD_CLOEXEC)
	}
}

// leftovers does nothing: the environment of other processes cannot be read.
func leftovers(string) {}
