//go:build !linux

package servers

// unmount does nothing: engines run on Linux only.
func unmount(string) {}
