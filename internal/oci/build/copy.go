package build

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// transfer is a COPY or an ADD.
type transfer struct {
	sources      []string
	target       string
	chown, chmod string
	verb         string // for messages
}

// copy plans the layer of a COPY or ADD.
func (s *stage) copy(t transfer) error {
	mode, err := parseMode(t.chmod)
	if err != nil {
		return err
	}
	var who owner
	if t.chown != "" {
		if who, err = s.fs.owner(t.chown); err != nil {
			return err
		}
	}
	found, err := s.find(t)
	if err != nil {
		return err
	}
	asFolder := strings.HasSuffix(t.target, "/") || path.Base(t.target) == "."
	if len(found) > 1 && !asFolder {
		return invalid("%s of more than one file needs a folder as its target: end %q with a slash", t.verb, t.target)
	}
	target, err := s.fs.resolve(s.absolute(t.target))
	if err != nil {
		return err
	}
	var entries []entry
	for _, f := range found {
		placed, err := s.place(f, target, asFolder, who, mode)
		if err != nil {
			return err
		}
		entries = append(entries, placed...)
	}
	s.layers = append(s.layers, sorted(entries))
	return nil
}

// find looks the sources up in the context.
func (s *stage) find(t transfer) ([]file, error) {
	var found []file
	for _, pattern := range t.sources {
		matches, err := s.source.match(pattern)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, invalid("%s %q: the build context has no such file%s", t.verb, pattern, s.source.hint(pattern))
		}
		if err != nil {
			return nil, err
		}
		if t.verb == "ADD" {
			if err := s.refuseArchives(matches); err != nil {
				return nil, err
			}
		}
		found = append(found, matches...)
	}
	return found, nil
}

// place plans where one source goes: the content of a folder into the target,
// a file into it or to its name.
func (s *stage) place(f file, target string, asFolder bool, who owner, mode *int64) ([]entry, error) {
	if f.info.IsDir() {
		return s.placeFolder(f, target, who, mode)
	}
	name := path.Base(f.path)
	if !asFolder && !s.fs.isFolder(target) {
		target, name = path.Dir(target), path.Base(target)
	}
	return s.placeEntry(s.fs.enter(target), f, path.Join(target, name), who, mode)
}

func (s *stage) placeFolder(f file, target string, who owner, mode *int64) ([]entry, error) {
	isNew := !s.fs.isFolder(target)
	entries := s.fs.enter(target)
	if isNew && len(entries) > 0 {
		top := &entries[len(entries)-1]
		top.header.Uid, top.header.Gid = who.uid, who.gid
		s.fs.add(*top)
	}
	below, err := s.source.walk(f.path)
	if err != nil {
		return nil, err
	}
	for _, child := range below {
		relative := strings.TrimPrefix(strings.TrimPrefix(child.path, f.path), "/")
		if f.path == "." {
			relative = child.path
		}
		place := path.Join(target, relative)
		if child.info.IsDir() {
			// A link to a folder stays one; its target gets the files.
			if place, err = s.fs.resolve(place); err != nil {
				return nil, err
			}
			if s.fs.isFolder(place) {
				entries = append(entries, s.fs.enter(place)...)
				continue
			}
		}
		parent, err := s.fs.resolve(path.Dir(place))
		if err != nil {
			return nil, err
		}
		entries, err = s.placeEntry(entries, child, path.Join(parent, path.Base(place)), who, mode)
		if err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// placeEntry adds one thing of the context to entries.
func (s *stage) placeEntry(entries []entry, f file, target string, who owner, mode *int64) ([]entry, error) {
	link := ""
	if f.info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if link, err = s.source.root.Readlink(f.path); err != nil {
			return nil, err
		}
	}
	e, ok := newEntry(target, f, link, who, mode)
	if !ok {
		return entries, nil
	}
	if s.fs.isFolder(target) && !f.info.IsDir() {
		return nil, invalid("%q cannot replace the folder /%s of the image", f.path, target)
	}
	s.fs.add(e)
	return append(entries, e), nil
}

// refuseArchives stops ADD where it would unpack.
func (s *stage) refuseArchives(found []file) error {
	for _, f := range found {
		if !f.info.Mode().IsRegular() {
			continue
		}
		archive, err := s.isArchive(f.path)
		if err != nil {
			return err
		}
		if archive {
			return invalid("ADD of the archive %q, which would unpack it, is not supported yet: unpack it before and COPY the files, or COPY it as it is", f.path)
		}
	}
	return nil
}

// isArchive reports whether a file begins as the archives do that ADD unpacks.
func (s *stage) isArchive(name string) (bool, error) {
	file, err := s.source.root.Open(name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(file, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return false, err
	}
	head = head[:n]
	for _, magic := range []string{"\x1f\x8b", "BZh", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true, nil
		}
	}
	return n >= 262 && string(head[257:262]) == "ustar", nil
}

// parseMode reads the value of --chmod.
func parseMode(text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	mode, err := strconv.ParseInt(text, 8, 64)
	if err != nil || mode < 0 || mode > 0o7777 {
		return nil, invalid("--chmod=%s is not supported yet: write the mode as an octal number such as 755", text)
	}
	return &mode, nil
}
