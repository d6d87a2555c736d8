package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// maxLinks is how many symbolic links one path may lead through, as in Linux.
const maxLinks = 40

// Resolve returns name without links in it, the last part included. Links are
// followed as if the view's root were "/", so none leads out of it. What does
// not exist is taken as it is written.
func Resolve(ctx context.Context, v View, name string) (string, error) {
	return resolveIn(ctx, v, ".", name)
}

// resolveIn is [Resolve] for a name in the folder root, which links do not leave
// either.
func resolveIn(ctx context.Context, v View, root, name string) (string, error) {
	at, left, links := root, clean(name), 0
	for left != "" {
		part, rest, _ := strings.Cut(left, "/")
		left = rest
		switch part {
		case "", ".":
			continue
		case "..":
			if at != root {
				at = path.Dir(at)
			}
			continue
		}
		next := path.Join(at, part)
		e, err := v.Lstat(ctx, next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			at = next
			continue
		case err != nil:
			return "", err
		case e.Header.Typeflag != tar.TypeSymlink:
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", invalid("%q leads through more than %d symbolic links, or through a loop of them", "/"+clean(name), maxLinks)
		}
		if path.IsAbs(e.Header.Linkname) {
			at = root
		}
		left = e.Header.Linkname + "/" + left
	}
	return at, nil
}

// resolveParent is [Resolve] but for the last part, which may be a link.
func resolveParent(ctx context.Context, v View, name string) (string, error) {
	name = clean(name)
	if name == "." {
		return name, nil
	}
	parent, err := Resolve(ctx, v, path.Dir(name))
	return path.Join(parent, path.Base(name)), err
}

// exists looks a resolved name up; nothing there is no error.
func exists(ctx context.Context, v View, name string) (e Entry, there bool, err error) {
	e, err = v.Lstat(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, false, nil
	}
	return e, err == nil, err
}

// notExist is the error of a view that has no such name.
func notExist(name string) error { return absent(name) }

// absent is the name of what is not there. It is made for every file that is
// copied, so it is cheap.
type absent string

// Error implements error.
func (a absent) Error() string { return fmt.Sprintf("%q: %v", string(a), fs.ErrNotExist) }

func (a absent) Unwrap() error { return fs.ErrNotExist }
