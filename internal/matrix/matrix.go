// Package matrix decides which apps of a repository have changed, and puts those
// into the form that a workflow takes as strategy.matrix.
//
// It only decides: what was deployed last, and which files differ from that, it
// is told.
package matrix

import (
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Most is how many jobs GitHub makes of one matrix.
const Most = 256

// App is what the decision about one app depends on. Paths have slashes.
type App struct {
	Name      string
	Folder    string   // from the top of the repository; "." for the top itself
	Watch     []string // patterns of paths, relative to Folder; none for all below it
	DependsOn []string // names of apps that come before this one
}

// Touched returns the first of the changed files, which are named from the top
// of the repository, that makes the app a changed one; "" where none does.
func (a App) Touched(files []string) string {
	patterns := []string{path.Join(a.Folder, "**")}
	if len(a.Watch) > 0 {
		patterns = nil
		for _, p := range a.Watch {
			patterns = append(patterns, path.Join(a.Folder, p))
		}
	}
	return First(patterns, files)
}

// First returns the first file that one of the patterns matches; "" where none
// does. A pattern that names a folder matches everything below it.
func First(patterns, files []string) string {
	for _, file := range files {
		for _, p := range patterns {
			// The configuration has checked the patterns.
			if matched, _ := doublestar.Match(p, file); matched || strings.HasPrefix(file, p+"/") {
				return file
			}
		}
	}
	return ""
}

// Entry is one job: one app.
type Entry struct {
	App       string `json:"app"`
	Workspace string `json:"workspace"`
	Level     int    `json:"level"` // 0 for an app that waits for none of the others
}

// Group is one job that makes a matrix of its own, where one is not enough.
type Group struct {
	Group int `json:"group"`
}

// Matrix is a value of strategy.matrix whose jobs are E.
type Matrix[E any] struct {
	Include []E `json:"include"`
}

// Of returns the matrix of some jobs, which may be none.
func Of[E any](jobs []E) Matrix[E] {
	return Matrix[E]{append([]E{}, jobs...)}
}

// Levels returns a matrix for each level, the first one for level 0.
func Levels(entries []Entry) []Matrix[Entry] {
	levels := []Matrix[Entry]{}
	for _, e := range entries {
		for len(levels) <= e.Level {
			levels = append(levels, Of[Entry](nil))
		}
		levels[e.Level].Include = append(levels[e.Level].Include, e)
	}
	return levels
}

// Groups cuts entries into parts that fit into one matrix each. They keep their
// order, so that groups that run one after another keep dependencies.
func Groups(entries []Entry) [][]Entry {
	var groups [][]Entry
	for len(entries) > 0 {
		size := min(len(entries), Most)
		groups, entries = append(groups, entries[:size]), entries[size:]
	}
	return groups
}
