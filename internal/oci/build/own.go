package build

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// makeWork makes a folder for what one build unpacks. In the action's own image
// it is in the folder of its own files, from where it can be moved to "/".
func makeWork(own, work string) (string, error) {
	if own != "" {
		work = filepath.Join(own, "work")
	}
	if work != "" {
		if err := os.MkdirAll(work, 0o755); err != nil {
			return "", fmt.Errorf("making a folder for the build: %w", err)
		}
	}
	made, err := os.MkdirTemp(work, "build-")
	if err != nil {
		return "", fmt.Errorf("making a folder for the build: %w", err)
	}
	return made, nil
}

// steadyLayout returns a layout that can be written to while a command has its
// files in the place of this container's.
func steadyLayout(own string, layout *oci.Layout) (*oci.Layout, io.Closer, error) {
	if own == "" {
		return layout, io.NopCloser(nil), nil
	}
	path, anchor, err := sandbox.Anchor(layout.Dir())
	if err != nil {
		return nil, nil, fmt.Errorf("opening image layout: %w", err)
	}
	return layout.Through(path), anchor, nil
}

// steadyAhead has layers that are sent while others are made be read from such a
// layout. It is the sender's until its end.
func steadyAhead(own string, ahead *oci.Ahead, layout *oci.Layout) error {
	if ahead == nil {
		return nil
	}
	steady, anchor, err := steadyLayout(own, layout)
	if err != nil {
		return err
	}
	ahead.Through(steady, anchor)
	return nil
}

// steadyFolder does so for a folder, which it makes if there is none; "" stays.
func steadyFolder(own, dir string) (string, io.Closer, error) {
	if own == "" || dir == "" {
		return dir, io.NopCloser(nil), nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	return sandbox.Anchor(dir)
}

// sandboxOptions says what commands may use, and what they must not, in the
// checkout at root. Only is the one rung that is tried; 0 is all.
func sandboxOptions(work, root string, only sandbox.Rung, hidden, watched []string) sandbox.Options {
	o := sandbox.Options{Work: filepath.Join(work, "sandbox"), Own: sandbox.Home(), Only: only}
	if o.Own == "" {
		return o
	}
	// Who can change these gives orders to whoever uses git after us; checkout
	// leaves its token in the former.
	settings, hooks := gitSettings(root), filepath.Join(root, ".git", "hooks")
	o.Hidden = append([]string{settings}, hidden...)
	o.Watched = append([]string{settings, hooks}, watched...)
	return o
}

func gitSettings(root string) string { return filepath.Join(root, ".git", "config") }
