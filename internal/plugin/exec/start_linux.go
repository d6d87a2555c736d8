package exec

import (
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// start starts cmd so that neither it nor what it starts can gain privileges.
//
// The kernel keeps that promise per thread and hands it on to children, so cmd
// starts on a thread of its own, which ends with the goroutine that stays
// locked to it.
func start(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			started <- fmt.Errorf("giving up privileges: %w", err)
			return
		}
		started <- cmd.Start()
	}()
	return <-started
}
