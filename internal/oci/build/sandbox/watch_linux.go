package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// inventory is what can be seen of files without reading them. Nobody but the
// kernel can set a time of change.
type inventory struct {
	own   string
	files map[string]seen
}

type seen struct {
	inode uint64
	mode  uint32
	size  int64
	ctime syscall.Timespec
}

// takeInventory looks at the program and its certificates in the folder that
// is ours.
func takeInventory(own string) (inventory, error) {
	i := inventory{own, map[string]seen{}}
	for _, part := range []string{"bin", etc} {
		err := filepath.WalkDir(filepath.Join(own, part), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				i.files[path] = seen{stat.Ino, stat.Mode, stat.Size, stat.Ctim}
			}
			return nil
		})
		if err != nil {
			return inventory{}, fmt.Errorf("looking at this program's files: %w", err)
		}
	}
	return i, nil
}

// check returns a problem if a command changed something.
func (i inventory) check() error {
	now, err := takeInventory(i.own)
	if err != nil {
		return err
	}
	var changed []string
	for path, before := range i.files {
		if now.files[path] != before {
			changed = append(changed, path)
		}
	}
	for path := range now.files {
		if _, ok := i.files[path]; !ok {
			changed = append(changed, path)
		}
	}
	if changed == nil {
		return nil
	}
	slices.Sort(changed)
	return &diag.Problem{
		Summary: "A RUN instruction changed this program",
		Detail: "The command wrote to files of deploy-action itself: " + strings.Join(changed, ", ") + ". In this container it could " +
			"reach them, and the build cannot go on with them. Find out what the command does, or build where namespaces are permitted.",
	}
}

// watched is the content of files that no command may change.
type watched struct {
	paths   []string
	content map[string][]byte
}

// watch reads files, and those in folders. What does not exist is to stay so.
func watch(paths []string) (watched, error) {
	content, err := readFiles(paths)
	return watched{paths, content}, err
}

func readFiles(paths []string) (map[string][]byte, error) {
	content := map[string][]byte{}
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || entry.IsDir() {
				return err
			}
			content[path] = []byte{}
			if entry.Type().IsRegular() {
				content[path], err = os.ReadFile(path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading the job's files: %w", err)
		}
	}
	return content, nil
}

// check puts back what a command changed, and returns a problem that names it.
func (w watched) check() error {
	now, err := readFiles(w.paths)
	if err != nil {
		return err
	}
	var changed []string
	for path, before := range w.content {
		if after, there := now[path]; !there || !bytes.Equal(before, after) {
			changed = append(changed, path)
			err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755), restoreFile(path, before))
		}
	}
	for path := range now {
		if _, there := w.content[path]; !there {
			changed = append(changed, path)
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	if changed == nil {
		return err
	}
	slices.Sort(changed)
	return errors.Join(&diag.Problem{
		Summary: "A RUN instruction changed files of the job",
		Detail: "The command wrote to " + strings.Join(changed, ", ") + ", by which a job gets its orders or its rights. What was there " +
			"is back. Find out what the command does, or build where namespaces are permitted.",
	}, err)
}
