// Package rootfs handles unpacked root folders, in which the commands of a
// build run: it applies layers to one, remembers the state of all its files,
// and makes a layer of what a command changed. It runs nothing, mounts nothing,
// and neither compresses layers nor stores them.
//
// Nothing may change a root while a function of this package works on it.
package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/oci/untar"
)

// Apply applies one layer, a tar archive that is not compressed, to the folder
// dir, which exists. Whatever the layer holds, nothing outside dir is touched.
// The layer is read to its end, unless there is an error; then dir holds a part
// of it. A full volume is a problem that names it.
func Apply(ctx context.Context, dir string, layer io.Reader) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpacking a layer: %w", err)
	}
	defer root.Close()
	err = untar.Apply(ctx, root, layer)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return noRoom(dir, err)
	}
	return err
}

// Remove deletes a root with all that is in it; one that is gone already is
// fine. Where something is still mounted in dir, nothing is deleted: it may be
// a folder of the user.
func Remove(dir string) error {
	if err := refuseMounts(dir); err != nil {
		return err
	}
	var side errgroup.Group
	side.SetLimit(runtime.GOMAXPROCS(0))
	removeBelow(dir, removedApart, &side)
	_ = side.Wait() // what is left is tried once more
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing root folder: %w", err)
	}
	return nil
}

// removedApart is how deep the folders are that are removed side by side.
const removedApart = 4

// removeBelow has the folders be removed that are so deep in dir.
func removeBelow(dir string, depth int, side *errgroup.Group) {
	entries, _ := os.ReadDir(dir) // who cannot be read is told by who removes the rest
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		switch {
		case !entry.IsDir():
		case depth == 0:
			side.Go(func() error { return os.RemoveAll(name) })
		default:
			removeBelow(name, depth-1, side)
		}
	}
}
