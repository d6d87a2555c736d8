package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/starter"
)

// starterFlags are what init writes beside waypoint.hcl.
type starterFlags struct{ workflow bool }

func initFlags(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.starter.workflow, "workflow", false, "also write "+starter.WorkflowPath+", which deploys what is pushed")
}

// start writes a first waypoint.hcl, and what it needs. Nothing that exists is
// touched.
func start(_ context.Context, s *session, f *flags, _ []string) error {
	dir, err := s.folder(f.session)
	if err != nil {
		return err
	}
	existing, err := existingFile(dir)
	if err != nil {
		return err
	}
	if existing != "" && !f.starter.workflow {
		return invalid(existing+" exists already", "init writes a first one, and overwrites nothing. "+
			"To check the one that is there, run `deploy-action validate`; for a workflow that goes with it, `deploy-action init --workflow`.")
	}
	proposal, err := propose(dir, existing, f.starter.workflow)
	if err != nil {
		return err
	}
	if err := writeNew(dir, proposal.Files); err != nil {
		return err
	}
	if existing != "" {
		s.ui.Print("%s is there already and stays as it is.\n\n", existing)
	}
	s.showProposal(proposal)
	return nil
}

// existingFile returns the name of the configuration in a folder, or "".
func existingFile(dir string) (string, error) {
	for _, name := range []string{"waypoint.hcl", "waypoint.hcl.json"} {
		_, err := os.Lstat(filepath.Join(dir, name))
		switch {
		case err == nil:
			return name, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", invalid("Unreadable folder", fmt.Sprintf("Whether %s has a %s cannot be told: %v.", dir, name, cause(err)))
		}
	}
	return "", nil
}

// propose asks what to write.
func propose(dir, existing string, workflow bool) (starter.Proposal, error) {
	o := starter.Options{
		FS: os.DirFS(dir), Name: filepath.Base(dir), Git: starter.ReadGit(dir), Refusal: refusal, Workflow: workflow,
	}
	if existing != "" {
		return starter.WorkflowOnly(o), nil
	}
	return starter.New(o)
}

// refusal says in a few words why a Dockerfile cannot be built by this program,
// or "".
func refusal(dockerfile []byte) string {
	problem, ok := errors.AsType[*diag.Problem](build.Unsupported(dockerfile))
	if !ok {
		return ""
	}
	return uncapitalized(problem.Summary)
}

// uncapitalized makes the beginning of a sentence a part of one, unless it
// begins with a word in capitals.
func uncapitalized(text string) string {
	if len(text) > 1 && text[1] >= 'A' && text[1] <= 'Z' {
		return text
	}
	return strings.ToLower(text[:min(1, len(text))]) + text[min(1, len(text)):]
}

// writeNew writes files that do not exist: either all of them or, if one does or
// cannot be written, none.
func writeNew(dir string, files []starter.File) error {
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return invalid(f.Path+" exists already", "init overwrites nothing, and so wrote nothing at all. Rename the file or remove it, then run init again.")
		}
	}
	for i, f := range files {
		err := create(filepath.Join(dir, filepath.FromSlash(f.Path)), f.Content)
		if err == nil {
			continue
		}
		for _, written := range files[:i] {
			err = errors.Join(err, os.Remove(filepath.Join(dir, filepath.FromSlash(written.Path))))
		}
		return unwritten(f.Path, "Nothing was written.", err)
	}
	return nil
}

// create writes a file that does not exist, in a folder that need not. What
// could not be written as a whole is removed again.
func create(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// showProposal says what was found, what was written, and what comes then.
func (s *session) showProposal(p starter.Proposal) {
	var found, written, next [][2]string
	for _, f := range p.Found {
		found = append(found, [2]string{f.Path, f.What})
	}
	for _, f := range p.Files {
		written = append(written, [2]string{f.Path, f.Why})
	}
	for _, n := range p.Next {
		next = append(next, [2]string{n.Why, n.Command})
	}
	var parts []string
	for _, part := range []struct {
		heading string
		rows    [][2]string
	}{{"Found", found}, {"Wrote", written}, {"Next", next}} {
		if len(part.rows) > 0 {
			parts = append(parts, part.heading+"\n"+pairTable(part.rows))
		}
	}
	s.ui.Print("%s", strings.Join(parts, "\n"))
}

// pairTable aligns rows of two columns.
func pairTable(rows [][2]string) string {
	width := 0
	for _, row := range rows {
		width = max(width, utf8.RuneCountInString(row[0]))
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, row[0], row[1])
	}
	return b.String()
}
