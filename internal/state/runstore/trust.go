package runstore

import (
	"context"
	"path"
	"regexp"

	"github.com/deploy-action/deploy-action/internal/github"
)

// previews are the workspaces that belong to a pull request.
var previews = regexp.MustCompile(`^pr-[0-9]+$`)

// trusts reports whether the run of an artifact may say what is deployed. Any
// workflow of the repository can upload an artifact of our name, also one that
// a colleague changed on a branch of their own.
//
// The list of artifacts tells the branch of a run but not its event, so a run
// for a pull request from the default branch itself counts as one of that
// branch.
func (s *Store) trusts(ctx context.Context, k key, a github.Artifact) (bool, error) {
	run := s.options.Run
	switch {
	case a.Run == run.RunID:
		return true, nil
	case a.HeadBranch == "":
		return false, nil
	case a.HeadBranch == run.RefName:
		return true, nil
	case previews.MatchString(k.workspace) && a.HeadBranch == run.HeadRef:
		return true, nil
	}
	for _, pattern := range s.options.Refs {
		// A pattern that is none was refused by whoever read it.
		if matched, _ := path.Match(pattern, a.HeadBranch); matched {
			return true, nil
		}
	}
	if s.defaultBranch == "" {
		repository, err := s.options.Client.Repository(ctx)
		if err != nil {
			return false, err
		}
		s.defaultBranch = repository.DefaultBranch
	}
	return a.HeadBranch == s.defaultBranch, nil
}
