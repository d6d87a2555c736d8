package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/deploy-action/deploy-action/internal/doctor"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
)

const (
	// permissionRow begins the name of each row about a permission.
	permissionRow = "permission "

	// clockSkew is how far clocks may be apart before tokens are refused as
	// of the future, or as too old.
	clockSkew = time.Minute

	// fewRequests is what a push that deploys some apps needs.
	fewRequests = 50
)

// githubChecks are those that ask the repository's API.
func (e *examination) githubChecks() []doctor.Check {
	if e.client == nil {
		e.rows = append(e.rows, doctor.Row{
			Name: "GitHub", State: doctor.NotChecked, Finding: "no token, or no repository: GITHUB_TOKEN and GITHUB_REPOSITORY are not both set",
		})
		return nil
	}
	checks := []doctor.Check{{Name: "clock", Run: e.checkClock}}
	for _, p := range permissions {
		line := p.line()
		name := permissionRow + line
		if off, err := e.turnedOff(p.scope); err != nil {
			e.rows = append(e.rows, rowOf(name, doctor.Problem, diagnosticsOf(err)[0]))
			continue
		} else if off {
			e.rows = append(e.rows, doctor.Row{Name: name, State: doctor.NotChecked, Finding: "not needed: turned off by an input"})
			continue
		}
		checks = append(checks, doctor.Check{Name: name, Failed: severity(p.scope), Run: func(ctx context.Context) ([]doctor.Row, error) {
			return e.checkPermission(ctx, p.scope, line, p.purpose)
		}})
	}
	return checks
}

// turnedOff reports whether an input says that a permission is not needed.
func (e *examination) turnedOff(scope string) (bool, error) {
	switch scope {
	case "contents":
		return e.options.unlocked, nil
	case "deployments", "statuses":
		wanted, err := e.machine.wants(scope)
		return !wanted, err
	case "pull-requests":
		wanted, err := e.machine.wants("comment")
		return !wanted, err
	}
	return false, nil
}

// severity is the state of a row about a permission that is missing. Without
// one of contents and deployments the other one does; see [examination.lockRow].
func severity(scope string) doctor.State {
	if scope == "actions" {
		return doctor.Problem
	}
	return doctor.Warning
}

// checkPermission asks for what a permission allows.
func (e *examination) checkPermission(ctx context.Context, scope, line, purpose string) ([]doctor.Row, error) {
	row := doctor.Row{Name: permissionRow + line, State: severity(scope), Finding: "to " + purpose}
	var err error
	pull := e.machine.runner.Context().PullRequest
	switch {
	case scope != "pull-requests":
		err = e.client.Probe(ctx, line)
	case pull != nil && !pull.Fork:
		err = e.client.ProbeComments(ctx, pull.Number)
	default:
		if err = e.client.Probe(ctx, "pull-requests: read"); err == nil {
			row.State, row.Finding = doctor.NotChecked, "it may read; whether it may comment shows only in a run of a pull request"
			return []doctor.Row{row}, nil
		}
	}
	refusal, refused := errors.AsType[*github.PermissionError](err)
	switch {
	case refused && refusal.Status == http.StatusUnauthorized:
		row.State = doctor.Problem
		return verdict(ctx, row, tokenProblem(err))
	case refused:
		row.Finding = fmt.Sprintf("missing: needed to %s", purpose)
		row.Remedy = remedyFor(line)
		return []doctor.Row{row}, nil
	}
	if problem := tokenProblem(err); problem != nil {
		err = problem
	}
	return verdict(ctx, row, err)
}

// checkClock compares our clock with GitHub's, and counts requests.
func (e *examination) checkClock(ctx context.Context) ([]doctor.Row, error) {
	clock, err := e.client.Clock(ctx)
	row := doctor.Row{Name: "clock", Finding: "agrees with that of GitHub"}
	if err != nil {
		row.Name = "GitHub"
		if problem := tokenProblem(err); problem != nil {
			err = problem
		}
		return verdict(ctx, row, err)
	}
	row.State = doctor.OK
	if apart := clock.Ahead.Round(time.Second); !clock.Told {
		row.State, row.Finding = doctor.NotChecked, "GitHub's answer names no time"
	} else if apart.Abs() > clockSkew {
		side := "ahead of"
		if apart < 0 {
			side = "behind"
		}
		row.State, row.Finding = doctor.Warning, fmt.Sprintf("%v %s that of GitHub", apart.Abs(), side)
		row.Remedy = "set the clock of this machine, by NTP; services refuse tokens and signatures of another time"
	}
	rows := []doctor.Row{row}
	if clock.Limit > 0 {
		limit := doctor.Row{Name: "requests", State: doctor.OK, Finding: fmt.Sprintf("%d of %d left", clock.Left, clock.Limit)}
		if clock.Left < min(fewRequests, clock.Limit) {
			limit.State = doctor.Warning
			limit.Remedy = fmt.Sprintf("there are %d again at %s UTC; a GitHub App has requests of its own", clock.Limit, clock.Reset.UTC().Format("15:04"))
		}
		rows = append(rows, limit)
	}
	return rows, nil
}

// inFolder reports whether records are kept on this machine.
func (e *examination) inFolder() bool {
	if e.engine == nil || e.engine.Store == nil {
		return false
	}
	_, onGitHub := e.engine.Store.(readable)
	return !onGitHub
}

// lockRow says how runs are kept apart, by what the rows say of the token.
func (e *examination) lockRow(rows []doctor.Row) doctor.Row {
	row := doctor.Row{Name: "lock", State: doctor.OK}
	may := map[string]doctor.State{}
	for _, r := range rows {
		may[r.Name] = r.State
	}
	refs, deployments := may[permissionRow+"contents: write"], may[permissionRow+"deployments: write"]
	switch {
	case e.options.unlocked && (deployments == doctor.OK || deployments == doctor.NotChecked):
		row.Finding = "off: two runs may deploy the same app at once"
	case e.inFolder():
		row.Finding = "a file beside the records: it keeps processes of this machine apart"
	case e.client == nil:
		row.State, row.Finding = doctor.NotChecked, "it depends on the token"
	case refs == doctor.OK:
		row.Finding = "a ref below refs/deploy-action/lock"
	case deployments == doctor.OK:
		row.Finding = "a queue of Deployments, as well as lists that lag allow"
		row.Remedy = "`contents: write` makes it a ref, which lets exactly one run through"
	default:
		row.State, row.Finding = doctor.Problem, "none can be taken: the token has neither `contents: write` nor `deployments: write`"
		row.Remedy = "add `contents: write`; or set the inputs `lock: off` and `deployments: false` where nothing else can deploy at the same time"
	}
	return row
}

// stateChecks ask for the records of the workspace.
func (e *examination) stateChecks(ctx context.Context) []doctor.Check {
	if e.engine == nil || e.project.Name() == "" {
		e.rows = append(e.rows, doctor.Row{Name: "state", State: doctor.NotChecked, Finding: "whose state it is stands in waypoint.hcl"})
		return nil
	}
	if folder := e.absentFolder(); folder != "" {
		e.rows = append(e.rows, doctor.Row{Name: "state", State: doctor.OK, Finding: "nothing is recorded yet in " + e.machine.relative(folder)})
		return nil
	}
	// As a verb would that changes something.
	if err := e.openState(ctx, e.options, verb{use: "doctor", changes: true}); err != nil {
		e.rows = append(e.rows, rowOf("state", doctor.Problem, diagnosticsOf(err)[0]))
		return nil
	}
	return []doctor.Check{{Name: "state", Run: func(ctx context.Context) ([]doctor.Row, error) {
		records := 0
		for _, err := range e.engine.Store.List(ctx, state.Query{}) {
			if err != nil {
				return verdict(ctx, doctor.Row{Name: "state"}, err)
			}
			records++
		}
		where := "in a folder"
		if store, ok := e.engine.Store.(readable); ok && store.git {
			where = "on a git ref"
		} else if ok {
			where = "in workflow artifacts"
		}
		return []doctor.Row{{
			Name: "state", State: doctor.OK, Finding: fmt.Sprintf("readable: %d records of workspace %q %s", records, e.engine.Workspace, where),
		}}, nil
	}}}
}
