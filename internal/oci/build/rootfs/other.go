//go:build !linux

package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/oci/build/files"
)

// State is what all files of a root were at one moment.
type State struct{}

// errElsewhere says that commands of an image run on Linux only.
var errElsewhere = fmt.Errorf("a root folder needs Linux: %w", errors.ErrUnsupported)

// Usable says that commands of an image cannot run here.
func Usable(string, bool) error { return errElsewhere }

// Scan reads nothing.
func Scan(context.Context, string, ...string) (*State, error) { return nil, errElsewhere }

// Rescan reads nothing.
func (*State) Rescan(context.Context, string, ...string) (*State, error) { return nil, errElsewhere }

// WriteDiff writes nothing.
func WriteDiff(context.Context, *tar.Writer, string, *State, *State, files.Times) (int, error) {
	return 0, errElsewhere
}

func noRoom(_ string, cause error) error { return cause }

func refuseMounts(string) error { return nil }
