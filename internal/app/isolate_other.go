//go:build !linux

package app

// Isolate does nothing here: container actions run on Linux.
func Isolate() error { return nil }
