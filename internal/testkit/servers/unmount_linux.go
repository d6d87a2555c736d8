package servers

import (
	"io/fs"
	"path/filepath"
	"syscall"
)

// unmount frees what an engine of version 20 leaves mounted below its exec-root
// when it ends: the network of containers that used the machine's own.
func unmount(execRoot string) {
	// A folder that is not there holds nothing.
	_ = filepath.WalkDir(filepath.Join(execRoot, "netns"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			_ = syscall.Unmount(path, syscall.MNT_DETACH) // most are not mounted
		}
		return nil
	})
}
