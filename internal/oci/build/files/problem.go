package files

import (
	"archive/tar"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// invalid is a mistake in an instruction, for the author of the Dockerfile: a
// sentence without its period.
func invalid(format string, args ...any) error {
	return &diag.Problem{Summary: "Invalid instruction", Detail: fmt.Sprintf(format, args...) + "."}
}

// escapes says that a path leads out of the repository.
func escapes(name string, cause error) error {
	return &diag.Problem{
		Summary: "Path outside the repository",
		Detail: fmt.Sprintf("%q is not in the repository, or a symbolic link on the way leads out of it or is absolute. "+
			"A build reads only files of the repository, so that it cannot carry others into an image. Move or copy what it needs.", name),
		Attr: "context",
		Err:  cause,
	}
}

// missing says that a source is not there, and why that may be.
func missing(ctx context.Context, verb string, v View, name string) error {
	c, isContext := v.(*contextView)
	if !isContext {
		return invalid("%s %q: the stage or image that it is copied from has no such file%s", verb, name, nearest(ctx, v, name))
	}
	if at := clean(name); c.leadsOut(at) {
		return escapes(name, nil)
	} else if _, err := c.disk.lstat(at); err == nil {
		if visible, err := c.visible(at, true); err == nil && !visible {
			return invalid("%s %q: the build context has no such file, since .dockerignore leaves it out", verb, name)
		}
		return invalid("%s %q: it is neither a file nor a folder nor a link, and an image can hold nothing else of a build context", verb, name)
	}
	return invalid("%s %q: the build context has no such file%s", verb, name, nearest(ctx, v, name))
}

// leadsOut reports whether some part of a name is a link that is absolute or
// climbs out of the context.
func (c *contextView) leadsOut(name string) bool {
	for at := name; at != "."; at = path.Dir(at) {
		e, err := c.disk.lstat(at)
		if err != nil || e.Header.Typeflag != tar.TypeSymlink {
			continue
		}
		target := path.Join(path.Dir(at), e.Header.Linkname)
		if path.IsAbs(e.Header.Linkname) || target == ".." || strings.HasPrefix(target, "../") {
			return true
		}
	}
	return false
}

// nearest continues a sentence with a name that may be meant.
func nearest(ctx context.Context, v View, name string) string {
	folder, err := Resolve(ctx, v, path.Dir(clean(name)))
	if err != nil {
		return ""
	}
	entries, err := v.ReadDir(ctx, folder)
	if err != nil {
		return ""
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, path.Base(e.Name))
	}
	if name := diag.Nearest(path.Base(clean(name)), names); name != "" {
		return fmt.Sprintf("; the nearest name is %q", path.Join(folder, name))
	}
	return ""
}
