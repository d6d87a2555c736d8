package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/state"
)

// Ancestry says how one commit stands to another. Its zero value is that
// nobody knows.
type Ancestry string

// The ancestries.
const (
	Descendant Ancestry = "descendant" // it comes after the other
	Ancestor   Ancestry = "ancestor"   // it comes before the other
	Diverged   Ancestry = "diverged"   // neither comes after the other
)

// outdatedBy reports whether a run is outdated because of what is released, and
// why it is. The ancestry is that of the released commit, compared with the run's.
//
// What descends from our commit has what we would release, and more. Else it
// counts who came last: that is the other run, if it released after ours began,
// unless our commit has all that is released, and more. But whoever went back
// from newer to older did so knowing of the newer: it is for them to end that.
func outdatedBy(i incumbent, ours state.Origin, ancestry Ancestry) (why string, outdated bool) {
	switch {
	case isOf(ours, i.release), i.commit != "" && i.commit == ours.Commit:
		return "", false
	case ancestry == Descendant:
		return fmt.Sprintf("commit %s descends from %s, which this run would release", shortCommit(i.commit), shortCommit(ours.Commit)), true
	case !i.later, ancestry == Ancestor && !i.back:
		return "", false
	case i.back:
		return "it was released after this run began, by going back to an earlier one", true
	}
	return "it was released after this run began", true
}

// isOf reports whether a record was made by the run of an origin. Off a runner
// nobody can tell.
func isOf(o state.Origin, r state.Record) bool { return o.Run != 0 && r.Origin.Run == o.Run }

// outdatedError ends the work on an app for which a newer run was faster. It is
// no failure.
type outdatedError struct {
	sentence string // as people are told
	why      string
}

// Error implements error.
func (e *outdatedError) Error() string { return e.sentence }

// isOutdated reports whether err is, or holds, that the run is outdated.
func isOutdated(err error) bool {
	_, outdated := errors.AsType[*outdatedError](err)
	return outdated
}

// lookout is what a run knows that refuses to go over a newer one.
type lookout struct {
	sequence int                 // of the latest release when it began
	commit   string              // that what it would release is made from
	known    map[string]Ancestry // of released commits, compared with that
}

// refuseOutdated is the first step of a verb that moves forward, and that begins
// with the named stage. From then on the run refuses to go over a newer one, up to
// the moment in which traffic moves.
func refuseOutdated(stageName string) stage {
	return stage{"check", func(r *run, ctx context.Context) error {
		r.lookout = &lookout{sequence: r.history.next(stageRelease) - 1, commit: r.Origin.Commit, known: map[string]Ancestry{}}
		return r.judge(ctx, stageName)
	}}
}

// upToDate reads once more what is released, and returns an [outdatedError]
// where that should stay. It asks only in a run that refuses.
func (r *run) upToDate(ctx context.Context, stage string) error {
	if r.lookout == nil || r.undoing {
		return nil
	}
	fresh, err := r.Engine.historyOf(ctx, state.Query{
		Project: r.Project.Name(), App: r.app.Name, Workspace: r.Workspace,
		Early: stage == stageDeploy && r.releaser != nil && !r.options.NoRelease,
	})
	if err != nil {
		return err
	}
	r.history = fresh
	return r.judge(ctx, stage)
}

// stillUpToDate is [run.upToDate] for an operation that has begun, if there has
// been time for another run since it was asked before.
func (op *operation) stillUpToDate(ctx context.Context) error {
	if !op.delayed {
		return nil
	}
	return op.run.upToDate(ctx, op.record.Operation)
}

// judge returns an [outdatedError] where what is released should stay, and the
// stage's block does not allow to go over it.
func (r *run) judge(ctx context.Context, stage string) error {
	allowed := conduct(r.app.Deploy).Outdated || stage == stageRelease && conduct(r.app.Release).Outdated
	i, ok := r.history.incumbent(r.Origin, r.lookout.sequence)
	if !ok || allowed {
		return nil
	}
	ancestry, err := r.ancestry(ctx, i)
	if err != nil {
		return err
	}
	ours := r.Origin
	ours.Commit = r.lookout.commit
	why, outdated := outdatedBy(i, ours, ancestry)
	if !outdated {
		return nil
	}
	return &outdatedError{i.sentence(r.Now()), why}
}

// ancestry asks how the released commit stands to ours, once for each. Where
// nobody knows, the log says so.
func (r *run) ancestry(ctx context.Context, i incumbent) (Ancestry, error) {
	ours := r.lookout.commit
	if ours == "" || i.commit == ours || isOf(r.Origin, i.release) {
		return "", nil
	}
	if known, asked := r.lookout.known[i.commit]; asked {
		return known, nil
	}
	found, err := r.askAncestry(ctx, i.commit)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	r.lookout.known[i.commit] = found
	if found == "" {
		r.UI.Print("App %q: whether what is released descends from commit %s is not known, so the sequence of the runs decides: %v.", r.app.Name, shortCommit(ours), err)
	}
	return found, nil
}

// askAncestry asks how a commit stands to ours. Its error is why that is not
// known.
func (r *run) askAncestry(ctx context.Context, commit string) (Ancestry, error) {
	switch {
	case commit == "":
		return "", errors.New("no record says which commit is released")
	case r.Ancestry == nil:
		return "", errors.New("there is no history to ask")
	}
	return r.Engine.Ancestry(ctx, commit, r.lookout.commit)
}

// stepAside ends the work on an app because of what is released. It returns what
// else is wrong.
func (r *run) stepAside(err error) error {
	late, ok := errors.AsType[*outdatedError](err)
	if !ok {
		return err
	}
	r.result.Outcome, r.result.Outdated = Outdated, late.sentence
	r.UI.Print("%s: %s", r.app.Name, late.sentence)
	r.UI.Print("  The reason: %s.", late.why)
	r.result.Notes = append(r.result.Notes, fmt.Sprintf("%s. The reason: %s.", late.sentence, late.why))
	for _, made := range r.result.Records {
		if made.Operation == stageDeploy && made.Status == state.Succeeded {
			r.note("Deployment %d (%s), which this run made, is not released; prune removes it.", made.Sequence, made.Deployment)
		}
	}
	return otherThan(err, late)
}
