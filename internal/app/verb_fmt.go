package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/engine"
)

// formatFlags are what fmt does with what it formatted.
type formatFlags struct{ write, check, diff bool }

func fmtFlags(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.format.write, "write", true, "write what changed back to the files; false prints it")
	c.Flags().BoolVar(&f.format.check, "check", false, "only list what would change, and end with status 1 if there is any")
	c.Flags().BoolVar(&f.format.diff, "diff", false, "show what changes")
}

// standardInput is the word, and in messages the name, of what comes in.
const (
	standardInput     = "-"
	standardInputName = "<stdin>"
)

// formatted is a file before and after formatting.
type formatted struct {
	path          string // standardInputName for what came in
	name          string // as the user would write it
	before, after []byte
}

// format lays files out. It goes on after a file that cannot be formatted, so
// that all problems come at once.
func format(_ context.Context, s *session, f *flags, words []string) error {
	paths, err := s.toFormat(f.session, words)
	if err != nil {
		return err
	}
	out, _, done := s.outputs()
	defer done()
	s.sources = map[string]*hcl.File{}
	var errs []error
	unformatted := 0
	for _, path := range paths {
		file, err := s.formatFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !bytes.Equal(file.before, file.after) {
			unformatted++
		}
		if err := s.finish(out, file, f.format); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 && f.format.check && unformatted > 0 {
		return exitError(exitFailed)
	}
	return errors.Join(errs...)
}

// toFormat returns the files that words name: by default the project's.
func (s *session) toFormat(o sessionOptions, words []string) ([]string, error) {
	if len(words) == 0 {
		path, err := s.find(o)
		return []string{path}, err
	}
	dir, err := s.folder(o)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, word := range words {
		path := word
		switch {
		case word == standardInput && len(words) > 1:
			return nil, invalid("Standard input beside files", "The word - stands for standard input, and can only be alone.")
		case word == standardInput:
			return []string{standardInputName}, nil
		case !filepath.IsAbs(word):
			path = filepath.Join(dir, word)
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			path = filepath.Join(path, "waypoint.hcl")
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// formatFile reads a file and formats it in memory.
func (s *session) formatFile(path string) (formatted, error) {
	file := formatted{path: path, name: s.machine.relative(path)}
	if strings.HasSuffix(path, ".json") {
		return file, invalid(fmt.Sprintf("%s is JSON", file.name), "Only files in the native syntax are formatted, such as waypoint.hcl. For JSON any formatter of JSON will do.")
	}
	var err error
	if path == standardInputName {
		file.before, err = io.ReadAll(s.machine.Stdin)
	} else if info, stat := os.Stat(path); stat == nil && !info.Mode().IsRegular() {
		return file, invalid(file.name+" is no regular file", "Only what is stored in a file can be formatted in its place. For a pipe use standard input: `deploy-action fmt -`.")
	} else {
		file.before, err = os.ReadFile(path)
	}
	if err != nil {
		return file, invalid("Unreadable file", fmt.Sprintf("%s cannot be read: %v. Check the path and its permissions.", file.name, cause(err)))
	}
	after, parsed, diags := config.Format(file.before, path)
	s.sources[path] = parsed
	if diags.HasErrors() {
		return file, &engine.InvalidError{Diags: diags}
	}
	file.after = after
	return file, nil
}

// finish does with a file what the flags say.
func (s *session) finish(out io.Writer, file formatted, f formatFlags) error {
	changed := !bytes.Equal(file.before, file.after)
	written := f.write && !f.check && file.path != standardInputName
	if changed && f.diff {
		if _, err := out.Write(diff.Diff(file.name, file.before, file.name+" (formatted)", file.after)); err != nil {
			return fmt.Errorf("showing the difference: %w", err)
		}
	}
	switch {
	case f.check:
		if changed {
			s.showUnformatted(out, file, f)
		}
	case written:
		if !changed {
			return nil
		}
		if err := replace(file.path, file.after); err != nil {
			return unwritten(file.name, "It is as it was.", err)
		}
		if !f.diff {
			fmt.Fprintln(out, file.name)
		}
	case !f.diff:
		if _, err := out.Write(file.after); err != nil {
			return fmt.Errorf("printing %q: %w", file.name, err)
		}
	}
	return nil
}

// showUnformatted lists a file that would change. On a runner that is also an
// annotation at the first line that would.
func (s *session) showUnformatted(out io.Writer, file formatted, f formatFlags) {
	if !s.machine.runner.Active() {
		if !f.diff {
			fmt.Fprintln(out, file.name)
		}
		return
	}
	line := firstDifference(file.before, file.after)
	s.ui.Diagnostics(hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  file.name + " is not formatted",
		Detail:   fmt.Sprintf("Line %d is the first that would change. Run `deploy-action fmt %s`, and commit what it writes.", line, file.name),
		Subject:  &hcl.Range{Filename: file.path, Start: hcl.Pos{Line: line, Column: 1}, End: hcl.Pos{Line: line, Column: 1}},
	}})
}

// firstDifference is the number of the first line in which two texts differ.
func firstDifference(a, b []byte) int {
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	return 1 + bytes.Count(a[:same], []byte("\n"))
}
