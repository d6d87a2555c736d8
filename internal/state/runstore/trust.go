package runstore

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// trust decides which runs may say what is deployed.
type trust struct {
	client        *github.Client
	run           workflow.Context
	refs          []string // as [Options].Refs
	refsOf        func(workspace string) []string
	handed        *handed
	runs          map[int64]github.Run // that were asked about
	defaultBranch string               // "" until it is asked for
}

// trusts reports whether the run of an artifact may say what is deployed. Any
// workflow of the repository can upload an artifact of our name, also one that
// a colleague changed on a branch of their own.
//
// The list of artifacts tells the branch of a run but not its event, so a run
// that its branch speaks for is asked about, once.
func (t *trust) trusts(ctx context.Context, k key, run int64, branch string) (bool, error) {
	if run == t.run.RunID {
		return true, nil
	}
	believed, err := t.believes(ctx, k, branch)
	if !believed || err != nil || k.claim().Preview() != "" {
		return believed, err
	}
	asked, err := t.ask(ctx, run)
	return err == nil && asked.Event != "pull_request", err
}

// believes reports whether runs of a branch count.
func (t *trust) believes(ctx context.Context, k key, branch string) (bool, error) {
	switch {
	case branch == "":
		return false, nil
	case branch == t.run.RefName:
		return true, nil
	case k.claim().Preview() != "" && branch == t.run.HeadRef:
		return true, nil
	}
	patterns := t.refs
	if t.refsOf != nil {
		patterns = slices.Concat(patterns, t.refsOf(k.workspace))
	}
	for _, pattern := range patterns {
		// A pattern that is none was refused by whoever read it.
		if matched, _ := path.Match(pattern, branch); matched {
			return true, nil
		}
	}
	if t.defaultBranch == "" {
		repository, err := t.client.Repository(ctx)
		if err != nil {
			return false, err
		}
		t.defaultBranch = repository.DefaultBranch
	}
	return branch == t.defaultBranch, nil
}

// ask asks about a run, once.
func (t *trust) ask(ctx context.Context, id int64) (github.Run, error) {
	if known, ok := t.runs[id]; ok {
		return known, nil
	}
	run, handed := t.handed.run(id)
	var err error
	if !handed {
		run, err = t.client.Run(ctx, id)
	}
	if err == nil {
		t.runs[id] = run
	}
	return run, err
}

// vouched reports whether the run that an intent names is one to believe. A run
// that was deleted cannot be asked about; what it told of may still run, and
// whatever is done to it is decided by its own labels.
func (t *trust) vouched(ctx context.Context, k key, i claim.Intent) (bool, error) {
	if i.Run == 0 || i.Run == t.run.RunID {
		return i.Run != 0, nil
	}
	run, err := t.ask(ctx, i.Run)
	if errors.Is(err, github.ErrNotFound) {
		return true, nil
	}
	if err != nil || !strings.EqualFold(run.HeadRepository, t.run.Repository) {
		return false, err
	}
	return t.trusts(ctx, k, i.Run, run.HeadBranch)
}

// lasting reports whether all later runs believe what this run uploads.
func (t *trust) lasting(ctx context.Context, k key) (bool, error) {
	if k.claim().Preview() != "" || t.run.RunID == 0 || t.run.Event == "pull_request" {
		return false, nil
	}
	present := *t
	present.run.RefName = "" // of which only runs of the same ref think well
	return present.believes(ctx, k, t.run.RefName)
}
