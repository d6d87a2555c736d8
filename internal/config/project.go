// Package config reads waypoint.hcl.
//
// It parses the file, resolves input variables, and evaluates each app and
// each stage when it is asked for, because a stage may refer to what earlier
// stages made. It has no effect on anything: it knows no plugin, runs no hook,
// and writes nothing but what configuration functions write to a temporary
// folder.
package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
)

// The names of the file that [Find] looks for in each folder, best first.
const (
	nativeName = "waypoint.hcl"
	jsonName   = "waypoint.hcl.json"
)

// Find returns the absolute path of the nearest waypoint.hcl, or
// waypoint.hcl.json, in dir or a folder above it. Its error is [fs.ErrNotExist]
// where there is none.
func Find(dir string) (path string, err error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", nativeName, err)
	}
	for folder := start; ; folder = filepath.Dir(folder) {
		for _, name := range []string{nativeName, jsonName} {
			path := filepath.Join(folder, name)
			info, err := os.Stat(path)
			if err == nil && !info.IsDir() {
				return path, nil
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("finding %s: %w", nativeName, err)
			}
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("finding %s in %q or a folder above it: %w", nativeName, start, fs.ErrNotExist)
		}
	}
}

// Project is a parsed waypoint.hcl. Nothing in it is evaluated before it is
// asked for, because a stage may refer to what earlier stages made.
type Project struct {
	path, dir, repository string
	unread                bool // because of a syntax error
	asks                  bool // it may ask sources

	files     map[string]*hcl.File
	name      string
	labels    *hcl.Attribute // nil when absent
	variables []*variable
	settings  *settings // nil when absent
	sources   map[string]*hcl.Block
	refs      map[string]Refs // by workspace
	auth      hcl.Blocks
	apps      []*app
	pipelines []*pipeline // those that steps embed, too
}

// Load parses the file at path. It returns as much as it understood, beside
// every problem that it found; the project is never nil.
func Load(path string) (*Project, hcl.Diagnostics) {
	p := &Project{path: filepath.Clean(path), files: map[string]*hcl.File{}}
	var diags hcl.Diagnostics
	p.dir, diags = folderOf(p.path)
	if diags.HasErrors() {
		return p, diags
	}
	p.repository = repositoryAround(p.dir)

	file, diags := p.parse(p.path)
	if diags.HasErrors() {
		// What follows a syntax error was read wrongly, so that further
		// problems would be noise.
		p.unread = true
		return p, distinct(diags, p.path)
	}
	// In JSON, the word may be written with escapes.
	p.asks = bytes.Contains(file.Bytes, []byte("dynamic")) || strings.HasSuffix(p.path, ".json")
	return p, append(diags, sorted(p.read(file.Body))...)
}

// Recalled returns a project of which nothing but the name is known, for verbs
// that work from records where there is no file.
func Recalled(name, dir string) *Project {
	return &Project{name: name, path: filepath.Join(dir, nativeName), dir: dir, repository: dir, files: map[string]*hcl.File{}}
}

// Name returns the name of the project, or "" where Load found a problem with it.
func (p *Project) Name() string { return p.name }

// Path returns the path of the file, as it was given to [Load].
func (p *Project) Path() string { return p.path }

// Dir returns the absolute folder of the file.
func (p *Project) Dir() string { return p.dir }

// Files returns every file that was parsed, by the name that ranges use: for
// source lines in diagnostics. It grows when [Project.Scope] reads files of
// variables.
func (p *Project) Files() map[string]*hcl.File { return p.files }

// Apps returns the names of the apps, in the order of the file.
func (p *Project) Apps() []string {
	names := make([]string, len(p.apps))
	for i, a := range p.apps {
		names[i] = a.name
	}
	return names
}

// parse reads one file of the language; the suffix .json says in which syntax.
// The file is nil only where it could not be read.
func (p *Project) parse(path string) (*hcl.File, hcl.Diagnostics) {
	source, err := readFile(path)
	if err != nil {
		return nil, hcl.Diagnostics{unreadable(path, err)}
	}
	file, diags := bounded.Parse(source, path)
	if file != nil {
		p.files[path] = file
	}
	return file, diags
}

// readFile returns the content of a file, or of one that is too large no more
// than shows it.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, bounded.MaxFile+1))
}

// unreadable says why a file cannot be read, and what helps.
func unreadable(path string, err error) *hcl.Diagnostic {
	problem := &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Unreadable file",
		Detail:   fmt.Sprintf("The file %q cannot be read: %v. Check that it is a file, and its permissions.", path, cause(err)),
	}
	if errors.Is(err, fs.ErrNotExist) {
		problem.Summary = "Missing file"
		problem.Detail = fmt.Sprintf("There is no file %q. Check the path; in a workflow, a step before this one must check the repository out.", path)
	}
	return problem
}

// cause returns what is behind a path error, for messages that name the path
// themselves.
func cause(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}

// folderOf returns the absolute folder of the file at path.
func folderOf(path string) (string, hcl.Diagnostics) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", hcl.Diagnostics{unreadable(path, err)}
	}
	return filepath.Dir(absolute), nil
}

// repositoryAround returns the nearest folder from dir upward that holds a
// .git, or dir itself: what functions may read.
func repositoryAround(dir string) string {
	for folder := dir; ; folder = filepath.Dir(folder) {
		if _, err := os.Lstat(filepath.Join(folder, ".git")); err == nil {
			return folder
		}
		if folder == filepath.Dir(folder) {
			return dir
		}
	}
}

// distinct leaves out syntax errors that only follow from one before them:
// those that say the same again, and those at the same place. In JSON all but
// the first do.
func distinct(diags hcl.Diagnostics, path string) hcl.Diagnostics {
	if strings.HasSuffix(path, ".json") {
		return diags[:1]
	}
	summaries, places := map[string]bool{}, map[hcl.Pos]bool{}
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
		place := subject(d).Start
		again := summaries[d.Summary] || places[place]
		summaries[d.Summary], places[place] = true, true
		return again
	})
}

// sorted puts diagnostics in the order of the file; those without a place come
// first. What is said twice of one place is left out.
func sorted(diags hcl.Diagnostics) hcl.Diagnostics {
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		x, y := subject(a), subject(b)
		return cmp.Or(cmp.Compare(x.Filename, y.Filename), cmp.Compare(x.Start.Byte, y.Start.Byte))
	})
	return slices.CompactFunc(diags, func(a, b *hcl.Diagnostic) bool {
		return a.Subject != nil && b.Subject != nil && *a.Subject == *b.Subject && a.Summary == b.Summary && a.Detail == b.Detail
	})
}
