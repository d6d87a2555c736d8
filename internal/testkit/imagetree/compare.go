package imagetree

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Lines describes every file: what it is, by its path.
func (t *Tree) Lines() map[string]string {
	names := map[*file][]string{}
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		names[t.files[name]] = append(names[t.files[name]], name)
	}
	lines := map[string]string{}
	for name, f := range t.files {
		text := f.String()
		if links := names[f]; len(links) > 1 {
			text += fmt.Sprintf(" linked as %s", strings.Join(links, ", "))
		}
		lines[name] = text
	}
	return lines
}

// String describes a file without its names.
func (f *file) String() string {
	kind, ok := map[byte]string{
		tar.TypeReg: "file", tar.TypeDir: "folder", tar.TypeSymlink: "link", tar.TypeChar: "character device", tar.TypeBlock: "block device", tar.TypeFifo: "pipe",
	}[f.kind]
	if !ok {
		kind = fmt.Sprintf("kind %q", f.kind)
	}
	parts := []string{kind, fmt.Sprintf("%o", f.mode), f.owner}
	for _, part := range []string{f.content, f.device, strings.Join(f.xattrs, " ")} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if f.target != "" {
		parts = append(parts, "→ "+f.target)
	}
	return strings.Join(parts, " ")
}

// Diff lists the paths in which two trees differ, one text for each, in the
// order of the paths. It is empty for trees that are the same.
func Diff(want, got *Tree) []string {
	return diff(want.Lines(), got.Lines())
}

// diff compares two sets of named texts.
func diff(want, got map[string]string) []string {
	all := maps.Clone(want)
	maps.Copy(all, got)
	var found []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w, wanted := want[name]
		g, have := got[name]
		switch {
		case w == g && wanted == have:
		case !have:
			found = append(found, fmt.Sprintf("%s: missing, want %s", name, w))
		case !wanted:
			found = append(found, fmt.Sprintf("%s: %s, want nothing", name, g))
		default:
			found = append(found, fmt.Sprintf("%s: %s, want %s", name, g, w))
		}
	}
	return found
}

// DiffConfig lists in what the configurations of two images differ, by the path
// of each value. When the image was made does not count, and of its history
// neither times nor comments do.
func DiffConfig(want, got v1.Image) ([]string, error) {
	var texts []map[string]string
	for _, image := range []v1.Image{want, got} {
		raw, err := image.RawConfigFile()
		if err != nil {
			return nil, fmt.Errorf("reading configuration: %w", err)
		}
		var config map[string]any
		if err := json.Unmarshal(raw, &config); err != nil {
			return nil, fmt.Errorf("reading configuration: %w", err)
		}
		delete(config, "created")
		delete(config, "rootfs")
		history, _ := config["history"].([]any)
		for _, entry := range history {
			if entry, ok := entry.(map[string]any); ok {
				delete(entry, "created")
				delete(entry, "comment")
			}
		}
		text := map[string]string{}
		flatten(text, "", config)
		texts = append(texts, text)
	}
	return diff(texts[0], texts[1]), nil
}

// flatten names every value of a JSON document. An empty object or list counts
// as a value.
func flatten(into map[string]string, name string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			flatten(into, path.Join(name, key), inner)
		}
		if len(value) == 0 {
			into[name] = "{}"
		}
	case []any:
		for i, inner := range value {
			flatten(into, path.Join(name, fmt.Sprintf("%03d", i)), inner)
		}
		if len(value) == 0 {
			into[name] = "[]"
		}
	default:
		into[name] = fmt.Sprintf("%#v", value)
	}
}
