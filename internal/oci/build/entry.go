package build

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// entry is one file, folder or link of a layer.
type entry struct {
	header tar.Header // without a time
	source string     // the file in the context that has the content; "" for none
}

// owner is a user and a group by number.
type owner struct{ uid, gid int }

// newEntry describes a thing of the context at its place in the image.
func newEntry(target string, f file, link string, who owner, chmod *int64) (e entry, ok bool) {
	e.header = tar.Header{Name: target, Uid: who.uid, Gid: who.gid, Mode: modeOf(f.info.Mode())}
	if chmod != nil {
		e.header.Mode = *chmod
	}
	switch {
	case f.info.IsDir():
		e.header.Typeflag = tar.TypeDir
		e.header.Name += "/"
	case f.info.Mode()&fs.ModeSymlink != 0:
		e.header.Typeflag = tar.TypeSymlink
		e.header.Mode = 0o777
		e.header.Linkname = link
	case f.info.Mode().IsRegular():
		e.header.Typeflag = tar.TypeReg
		e.header.Size = f.info.Size()
		e.source = f.path
	default:
		return entry{}, false // a socket or a device is nothing to put in an image
	}
	return e, true
}

// folderEntry describes a folder that is in the image already, or must be.
func folderEntry(name string, f folder) entry {
	return entry{header: tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: f.Mode, Uid: f.UID, Gid: f.GID}}
}

// modeOf is a mode as tar writes it.
func modeOf(mode fs.FileMode) int64 {
	bits := int64(mode.Perm())
	for _, special := range []struct {
		from fs.FileMode
		to   int64
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if mode&special.from != 0 {
			bits |= special.to
		}
	}
	return bits
}

// sorted orders the entries of a layer by name. Of two with one name the later
// wins, as it would when one is copied over the other.
func sorted(entries []entry) []entry {
	byName := map[string]entry{}
	for _, e := range entries {
		byName[strings.TrimSuffix(e.header.Name, "/")] = e
	}
	result := make([]entry, 0, len(byName))
	for _, e := range byName {
		result = append(result, e)
	}
	slices.SortFunc(result, func(a, b entry) int { return strings.Compare(path.Clean(a.header.Name), path.Clean(b.header.Name)) })
	return result
}

// writeEntries writes a layer. Everything in it has the same time, or else a
// fresh checkout would make another image.
func writeEntries(ctx context.Context, archive *tar.Writer, s *source, entries []entry, when time.Time) error {
	for _, e := range entries {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		header := e.header
		header.ModTime = when
		if err := archive.WriteHeader(&header); err != nil {
			return fmt.Errorf("adding %q: %w", header.Name, err)
		}
		if e.source == "" {
			continue
		}
		if err := writeFile(archive, s, e); err != nil {
			return fmt.Errorf("adding %q: %w", e.source, err)
		}
	}
	return nil
}

func writeFile(archive *tar.Writer, s *source, e entry) error {
	file, err := s.root.Open(e.source)
	if err != nil {
		return err
	}
	defer file.Close()
	n, err := io.Copy(archive, io.LimitReader(file, e.header.Size))
	if err != nil {
		return err
	}
	if n < e.header.Size {
		return fmt.Errorf("it shrank from %d to %d bytes while it was read", e.header.Size, n)
	}
	return nil
}
