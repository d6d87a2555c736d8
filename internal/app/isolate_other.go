//go:build !linux

package app

import "syscall"

// Isolate does nothing here: container actions run on Linux.
func Isolate() error { return nil }

// groupOfItsOwn makes a child the leader of a process group.
func groupOfItsOwn() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
