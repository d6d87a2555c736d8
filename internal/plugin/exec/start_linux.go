package exec

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// start starts cmd so that neither it nor what it starts can gain privileges,
// and so that it is killed when this process is. The caller closes ended after
// cmd has ended.
//
// The kernel keeps both promises per thread: children get the first from the
// thread that starts them, and the second comes true when that thread ends. So
// cmd starts on a thread of its own, which ends with the goroutine that stays
// locked to it.
func start(cmd *exec.Cmd, ended <-chan struct{}) error {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			started <- fmt.Errorf("giving up privileges: %w", err)
			return
		}
		started <- cmd.Start()
		<-ended
	}()
	return <-started
}
