package app

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Isolate keeps build code away from this process: hooks and tools that it
// starts cannot read its memory or environment, nor gain privileges by a
// set-user-ID program. It is called once, before anything else, where the
// process holds the tokens of a job.
func Isolate() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("closing /proc entries to other processes: %w", err)
	}
	// Anybody of the same user may have a process end by a signal that writes its
	// memory to a file. This process is spared by the above; its children are not.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("refusing core dumps: %w", err)
	}
	// Threads have this bit each; a child has that of the thread that forks.
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0)
	if errno != 0 && !errors.Is(errno, syscall.ENOTSUP) { // with cgo, which our builds do without
		return fmt.Errorf("refusing new privileges to child processes: %w", errno)
	}
	return nil
}

// groupOfItsOwn makes a child the leader of a process group, which the kernel
// kills when the thread that started it ends.
func groupOfItsOwn() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
