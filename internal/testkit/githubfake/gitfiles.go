package githubfake

import (
	"maps"
	"slices"
	"time"
)

// AddFiles makes a commit with these files, by their paths, and no others, and
// returns its name.
func (f *Fake) AddFiles(message string, files map[string]string, parents ...string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var entries []treeEntry
	for _, path := range slices.Sorted(maps.Keys(files)) {
		entries = append(entries, treeEntry{path, "100644", "blob", f.addBlob([]byte(files[path]))})
	}
	by := Signature{"Octo Cat", "octocat@example.invalid", f.options.Now().UTC().Truncate(time.Second)}
	return f.addCommit(Commit{Message: message, Tree: f.addTree(entries), Parents: parents, Author: by, Committer: by})
}

// mostCompared is how many files a comparison names.
const mostCompared = 300

// compared lists the files that differ between two commits, by their paths, as
// many as GitHub names.
func (f *Fake) compared(base, head string) []any {
	before, after := map[string]string{}, map[string]string{}
	for _, e := range f.files(f.data.Commits[base].Tree, "", false) {
		before[e.Path] = e.SHA
	}
	for _, e := range f.files(f.data.Commits[head].Tree, "", false) {
		after[e.Path] = e.SHA
	}
	status := map[string]string{}
	for path := range before {
		if after[path] == "" {
			status[path] = "removed"
		}
	}
	for path, object := range after {
		switch before[path] {
		case object:
		case "":
			status[path] = "added"
		default:
			status[path] = "modified"
		}
	}
	list := []any{}
	for _, path := range slices.Sorted(maps.Keys(status)) {
		object := after[path]
		if object == "" {
			object = before[path]
		}
		if len(list) < mostCompared {
			list = append(list, complete("diff-entry", map[string]any{"filename": path, "status": status[path], "sha": object}))
		}
	}
	return list
}
