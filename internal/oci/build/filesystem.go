package build

import (
	"archive/tar"
	"bufio"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// filesystem is what the image holds so far, as far as placing files needs to
// know: folders with their modes, links, and who is who.
//
// Reading it costs a look at every layer of the base, so that is put off until
// somebody asks. It cannot be spared: engines unpack a layer by itself, where a
// missing folder is made anew, with other rights or in place of a link.
type filesystem struct {
	load    func(visitor) error // nil once done, and without a base
	folders map[string]folder
	links   map[string]string
	users   map[string]owner // group is the user's main one
	groups  map[string]int
}

// folder is a folder's metadata.
type folder struct {
	Mode     int64
	UID, GID int
}

// newFolder is what a missing folder is made as.
var newFolder = folder{Mode: 0o755}

// maxLinks is how many symbolic links one path may lead through, as in Linux.
const maxLinks = 40

// visitor takes one entry of a layer and its content.
type visitor = func(*tar.Header, io.Reader) error

func newFilesystem(load func(visitor) error) *filesystem {
	return &filesystem{
		load:    load,
		folders: map[string]folder{},
		links:   map[string]string{},
		users:   map[string]owner{},
		groups:  map[string]int{},
	}
}

// need reads the base, the first time.
func (f *filesystem) need() error {
	if f.load == nil {
		return nil
	}
	load := f.load
	f.load = nil
	if err := load(f.visit); err != nil {
		return fmt.Errorf("reading base image: %w", err)
	}
	return nil
}

// visit takes in one entry of a layer.
func (f *filesystem) visit(header *tar.Header, content io.Reader) error {
	name := clean(header.Name)
	folderName, base := path.Dir(name), path.Base(name)
	if hidden, ok := strings.CutPrefix(base, ".wh."); ok {
		if hidden == ".wh..opq" {
			f.removeBelow(folderName)
		} else {
			f.remove(path.Join(folderName, hidden))
		}
		return nil
	}
	if header.Typeflag == tar.TypeDir {
		delete(f.links, name)
		f.folders[name] = folder{Mode: header.Mode & 0o7777, UID: header.Uid, GID: header.Gid}
		return nil
	}
	f.remove(name)
	switch {
	case header.Typeflag == tar.TypeSymlink:
		f.links[name] = header.Linkname
	case name == "etc/passwd":
		return f.readUsers(content)
	case name == "etc/group":
		return f.readGroups(content)
	}
	return nil
}

func (f *filesystem) remove(name string) {
	delete(f.links, name)
	if _, ok := f.folders[name]; ok {
		delete(f.folders, name)
		f.removeBelow(name)
	}
}

func (f *filesystem) removeBelow(name string) {
	below := func(other string) bool { return name == "." || strings.HasPrefix(other, name+"/") }
	maps.DeleteFunc(f.folders, func(other string, _ folder) bool { return below(other) })
	maps.DeleteFunc(f.links, func(other, _ string) bool { return below(other) })
}

// readUsers reads /etc/passwd: name:password:uid:gid:…
func (f *filesystem) readUsers(content io.Reader) error {
	clear(f.users)
	lines := bufio.NewScanner(content)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 4 {
			continue
		}
		uid, uidErr := strconv.Atoi(fields[2])
		gid, gidErr := strconv.Atoi(fields[3])
		if uidErr == nil && gidErr == nil {
			f.users[fields[0]] = owner{uid, gid}
		}
	}
	return lines.Err()
}

// readGroups reads /etc/group: name:password:gid:…
func (f *filesystem) readGroups(content io.Reader) error {
	clear(f.groups)
	lines := bufio.NewScanner(content)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 3 {
			continue
		}
		if gid, err := strconv.Atoi(fields[2]); err == nil {
			f.groups[fields[0]] = gid
		}
	}
	return lines.Err()
}

// resolve returns a path without links in it, the last part included.
func (f *filesystem) resolve(name string) (string, error) {
	if err := f.need(); err != nil {
		return "", err
	}
	return f.follow(clean(name), 0)
}

func (f *filesystem) follow(name string, links int) (string, error) {
	if name == "." {
		return name, nil
	}
	parent, err := f.follow(path.Dir(name), links)
	if err != nil {
		return "", err
	}
	resolved := path.Join(parent, path.Base(name))
	target, ok := f.links[resolved]
	if !ok {
		return resolved, nil
	}
	if links == maxLinks {
		return "", invalid("following %q in the image: too many links", name)
	}
	if !path.IsAbs(target) {
		target = path.Join("/", parent, target)
	}
	return f.follow(clean(target), links+1)
}

// isFolder reports whether a resolved path is a folder of the image.
func (f *filesystem) isFolder(name string) bool {
	_, ok := f.folders[name]
	return ok || name == "."
}

// enter returns entries for a resolved folder and those above it, so that a
// layer unpacked by itself gives them their own rights, and makes those that
// are missing.
func (f *filesystem) enter(name string) []entry {
	var entries []entry
	for ; name != "."; name = path.Dir(name) {
		known, ok := f.folders[name]
		if !ok {
			known = newFolder
			f.folders[name] = known
		}
		entries = append(entries, folderEntry(name, known))
	}
	slices.Reverse(entries)
	return entries
}

// add notes what a layer puts into the image.
func (f *filesystem) add(e entry) {
	name := clean(e.header.Name)
	if e.header.Typeflag == tar.TypeDir {
		f.folders[name] = folder{Mode: e.header.Mode, UID: e.header.Uid, GID: e.header.Gid}
		return
	}
	f.remove(name)
	if e.header.Typeflag == tar.TypeSymlink {
		f.links[name] = e.header.Linkname
	}
}

// owner reads the value of --chown: USER[:GROUP], by name or number. Without
// a group it is the user's own for a name, and the same number for a number.
func (f *filesystem) owner(text string) (owner, error) {
	user, group, hasGroup := strings.Cut(text, ":")
	who, err := f.user(user)
	if err != nil || !hasGroup {
		return who, err
	}
	if who.gid, err = strconv.Atoi(group); err == nil {
		return who, nil
	}
	if err := f.need(); err != nil {
		return owner{}, err
	}
	gid, ok := f.groups[group]
	if !ok {
		return owner{}, invalid("the image has no group %q in /etc/group", group)
	}
	who.gid = gid
	return who, nil
}

func (f *filesystem) user(text string) (owner, error) {
	if uid, err := strconv.Atoi(text); err == nil {
		return owner{uid, uid}, nil
	}
	if err := f.need(); err != nil {
		return owner{}, err
	}
	who, ok := f.users[text]
	if !ok {
		return owner{}, invalid("the image has no user %q in /etc/passwd", text)
	}
	return who, nil
}
