package starter

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// How far to look.
const (
	deepest   = 4     // folders below the root
	mostFiles = 20000 // so that a large repository takes no minutes

	largestRead = 1 << 20 // bytes; no file that somebody wrote is larger
)

// foreign are folders with code of others, or with what builds make.
var foreign = []string{"node_modules", "vendor", "third_party", "testdata", "dist", "target", "bin", "examples"}

// list returns the files of a repository, in order, without those that lie
// deep, in foreign or hidden folders, or are links.
func list(root fs.FS) ([]string, error) {
	var files []string
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			if entry != nil && entry.IsDir() && errors.Is(err, fs.ErrPermission) {
				return fs.SkipDir
			}
			return err
		}
		if !entry.IsDir() {
			if entry.Type().IsRegular() {
				files = append(files, name)
			}
			if len(files) == mostFiles {
				return fs.SkipAll
			}
			return nil
		}
		base := path.Base(name)
		hidden := name != "." && strings.HasPrefix(base, ".")
		if hidden || slices.Contains(foreign, base) || strings.Count(name, "/") >= deepest {
			return fs.SkipDir
		}
		return nil
	})
	return files, err
}

// repository is what was found in a folder.
type repository struct {
	fs      fs.FS
	files   []string
	above   string // the folder, from the root of version control
	refusal func(dockerfile []byte) string
}

// has reports whether there is a file.
func (r repository) has(name string) bool { return slices.Contains(r.files, path.Clean(name)) }

// named returns the folders that hold a file of one of the names.
func (r repository) named(names ...string) []string {
	var folders []string
	for _, file := range r.files {
		if slices.Contains(names, path.Base(file)) && !slices.Contains(folders, path.Dir(file)) {
			folders = append(folders, path.Dir(file))
		}
	}
	return folders
}

// read returns the content of a small file; nil where it cannot be read, which
// is as if it were not there.
func (r repository) read(name string) []byte {
	name = path.Clean(name)
	info, err := fs.Stat(r.fs, name)
	if err != nil || info.Size() > largestRead {
		return nil
	}
	content, err := fs.ReadFile(r.fs, name)
	if err != nil {
		return nil
	}
	return content
}

// otherTools are files that look like manifests and are not.
var otherTools = []string{"kustomization.yaml", "kustomization.yml", "skaffold.yaml", "skaffold.yml"}

// manifests returns the folders that hold Kubernetes manifests, or at the root
// the manifests themselves. Templates of charts do not count.
func (r repository) manifests() []string {
	charts := r.named("Chart.yaml")
	var folders []string
	for _, file := range r.files {
		folder := path.Dir(file)
		if folder == "." {
			folder = file
		}
		if slices.Contains(folders, folder) || slices.Contains(otherTools, path.Base(file)) ||
			!slices.Contains([]string{".yaml", ".yml"}, path.Ext(file)) || slices.ContainsFunc(charts, func(chart string) bool { return below(file, chart) }) {
			continue
		}
		content := append([]byte("\n"), r.read(file)...)
		if bytes.Contains(content, []byte("\napiVersion:")) && bytes.Contains(content, []byte("\nkind:")) {
			folders = append(folders, folder)
		}
	}
	return folders
}

// below reports whether name is in a folder, or is it.
func below(name, folder string) bool {
	return folder == "." || name == folder || strings.HasPrefix(name, folder+"/")
}

// within returns name as seen from a folder that it is below.
func within(name, folder string) string {
	if folder == "." {
		return name
	}
	if name == folder {
		return "."
	}
	return strings.TrimPrefix(name, folder+"/")
}
