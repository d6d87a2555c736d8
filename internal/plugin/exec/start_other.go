//go:build !linux

package exec

import "os/exec"

// start starts cmd. Other systems than Linux have no promise to give up
// privileges, nor to end with us; runners that deploy from a container are
// Linux.
func start(cmd *exec.Cmd, _ <-chan struct{}) error { return cmd.Start() }
