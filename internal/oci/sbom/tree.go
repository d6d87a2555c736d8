package sbom

import (
	"path"
	"strings"
)

// tree is the files of an image that name packages, as upper layers leave those
// of lower ones.
type tree struct {
	files   map[string]*file
	folders map[string]int // how many of the files are below a folder
}

// put notes a file, in place of one of that name.
func (t *tree) put(name string, f *file) {
	t.drop(name)
	t.files[name] = f
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		t.folders[folder]++
	}
}

func (t *tree) drop(name string) {
	if t.files[name] == nil {
		return
	}
	delete(t.files, name)
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		if t.folders[folder]--; t.folders[folder] == 0 {
			delete(t.folders, folder)
		}
	}
}

// replace drops what an entry of a layer takes the place of: a file of its name,
// and, unless it is a folder, all below one.
func (t *tree) replace(name string, folder bool, layer int) {
	t.drop(name)
	if !folder {
		t.removeBelow(name, layer)
	}
}

// remove drops what a whiteout names of lower layers.
func (t *tree) remove(name string, layer int) {
	if f := t.files[name]; f != nil && f.layer < layer {
		t.drop(name)
	}
	t.removeBelow(name, layer)
}

// removeBelow drops what lower layers have in a folder.
func (t *tree) removeBelow(folder string, layer int) {
	if folder != "." && t.folders[folder] == 0 {
		return
	}
	for name, f := range t.files {
		if f.layer < layer && (folder == "." || strings.HasPrefix(name, folder+"/")) {
			t.drop(name)
		}
	}
}
