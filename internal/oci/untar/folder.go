package untar

import (
	"os"
	"strings"
	"syscall"
)

// maxTrail is how many folders are open at a time, for the sake of archives that
// nest without measure.
const maxTrail = 32

// folder is an open folder of the tree.
type folder struct {
	*os.Root
	name string
	self *os.File // for what [os.Root] has no method for
}

// openFolder opens what is at path in root. Its name in the tree is name.
func openFolder(root *os.Root, path, name string) (*folder, error) {
	opened, err := root.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	self, err := opened.Open(".")
	if err != nil {
		opened.Close()
		return nil, err
	}
	return &folder{opened, name, self}, nil
}

func (f *folder) close() {
	f.self.Close()
	f.Close()
}

// rest returns the way from f to a folder in it, "" for f itself.
func (f *folder) rest(name string) (way string, within bool) {
	switch {
	case f.name == name:
		return "", true
	case f.name == ".":
		return name, true
	}
	return strings.CutPrefix(name, f.name+"/")
}

// checkFolder returns an error unless that is a folder, and no link to one.
func (t *tree) checkFolder(in *folder, way, name string) error {
	if t.folders[name] {
		return nil
	}
	info, err := in.Lstat(way)
	if err == nil && !info.IsDir() {
		err = &os.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
	}
	t.folders[name] = err == nil
	return err
}

// enter opens a folder whose name is resolved. It stays open with those that lead
// to it until one elsewhere is entered: the next entry is mostly beside it or
// below, and every step from the root would be a call of the system.
func (t *tree) enter(name string) (*folder, error) {
	for {
		last := t.trail[len(t.trail)-1]
		way, within := last.rest(name)
		switch {
		case !within || !t.folders[last.name]:
			last.close()
			t.trail = t.trail[:len(t.trail)-1]
			continue
		case way == "":
			return last, nil
		}
		if len(t.trail) < maxTrail {
			way, _, _ = strings.Cut(way, "/")
		}
		below := way
		if last.name != "." {
			below = last.name + "/" + way
		}
		if err := t.checkFolder(last, way, below); err != nil {
			return nil, err
		}
		next, err := openFolder(last.Root, way, below)
		if err != nil {
			return nil, err
		}
		t.trail = append(t.trail, next)
	}
}
