//go:build !linux

package servers

import "syscall"

// attributes keep a terminal's signals from a server. Where we are killed it
// goes on: other systems than Linux cannot promise more.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
