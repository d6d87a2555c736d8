package runstore

import (
	"context"
	"path"
	"slices"

	"github.com/deploy-action/deploy-action/internal/github"
)

// trusts reports whether the run of an artifact may say what is deployed. Any
// workflow of the repository can upload an artifact of our name, also one that
// a colleague changed on a branch of their own.
//
// The list of artifacts tells the branch of a run but not its event, so a run
// that its branch speaks for is asked about, once.
func (s *Store) trusts(ctx context.Context, k key, run int64, branch string) (bool, error) {
	if run == s.options.Run.RunID {
		return true, nil
	}
	believed, err := s.believes(ctx, k, branch)
	if !believed || err != nil || k.claim().Preview() != "" {
		return believed, err
	}
	asked, err := s.run(ctx, run)
	return err == nil && asked.Event != "pull_request", err
}

// believes reports whether runs of a branch count.
func (s *Store) believes(ctx context.Context, k key, branch string) (bool, error) {
	run := s.options.Run
	switch {
	case branch == "":
		return false, nil
	case branch == run.RefName:
		return true, nil
	case k.claim().Preview() != "" && branch == run.HeadRef:
		return true, nil
	}
	patterns := s.options.Refs
	if s.options.RefsOf != nil {
		patterns = slices.Concat(patterns, s.options.RefsOf(k.workspace))
	}
	for _, pattern := range patterns {
		// A pattern that is none was refused by whoever read it.
		if matched, _ := path.Match(pattern, branch); matched {
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
	return branch == s.defaultBranch, nil
}

// run asks about a run, once.
func (s *Store) run(ctx context.Context, id int64) (github.Run, error) {
	if known, ok := s.runs[id]; ok {
		return known, nil
	}
	run, err := s.options.Client.Run(ctx, id)
	if err == nil {
		s.runs[id] = run
	}
	return run, err
}
