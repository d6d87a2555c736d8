package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/deploy-action/deploy-action/internal/doctor"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// absentFolder returns the folder of records where that is what --state names
// and it does not exist; else "". Opening it would make it.
func (e *examination) absentFolder() string {
	kind, folder, _ := strings.Cut(e.options.state, "=")
	if kind != "dir" && (kind != "auto" || e.machine.runner.Active()) {
		return ""
	}
	folder = cmp.Or(folder, e.dataDir)
	folder = e.machine.fromDir([]string{folder})[0]
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		return folder
	}
	return ""
}

// identityChecks ask for the job's OIDC token, and say whom it is shown to.
func (e *examination) identityChecks() []doctor.Check {
	ask := e.idToken()
	if ask == nil {
		e.rows = append(e.rows, doctor.Row{Name: "OIDC", State: doctor.NotChecked, Finding: "only a job has an OIDC token"})
		return nil
	}
	roles := e.roles()
	return []doctor.Check{{Name: "OIDC", Failed: doctor.Warning, Run: func(ctx context.Context) ([]doctor.Row, error) {
		row := doctor.Row{Name: "OIDC", State: doctor.Warning}
		token, err := ask(ctx, "")
		if err != nil {
			return verdict(ctx, row, err)
		}
		claims, err := doctor.ReadClaims(token)
		if err != nil {
			return verdict(ctx, row, err)
		}
		rows := []doctor.Row{{Name: "OIDC", State: doctor.OK, Finding: claims.String()}}
		for _, r := range roles {
			rows = append(rows, doctor.Row{
				Name: r.name, State: doctor.NotChecked, Finding: r.identity,
				Remedy: fmt.Sprintf("this version does not sign in there; its trust must accept sub %s and aud %s", claims.Subject, r.audience),
			})
		}
		return rows, nil
	}}}
}

// role is an identity at a cloud that trusts the job.
type role struct{ name, identity, audience string }

// audiences are whom OIDC tokens for a provider are addressed to.
var audiences = map[string]string{
	"aws": "sts.amazonaws.com", "azure": "api://AzureADTokenExchange", "google": "the full name of the provider",
}

// roles returns what auth blocks name. Nothing signs in to them yet.
func (e *examination) roles() []role {
	if e.engine == nil || e.problems.HasErrors() {
		return nil
	}
	var roles []role
	for _, r := range e.project.Roles(e.engine.Scope) {
		name := fmt.Sprintf("auth %s, %s", r.Provider, r.Argument)
		if r.App != "" {
			name += " of " + r.App
		}
		roles = append(roles, role{name, cmp.Or(r.Name, "not known before the run"), audiences[r.Provider]})
	}
	return roles
}

// fileChecks ask the sources, registries and platforms that the file names.
func (e *examination) fileChecks() []doctor.Check {
	if !e.valid {
		e.rows = append(e.rows, doctor.Row{
			Name: "sources, registries, platforms", State: doctor.NotChecked, Finding: "waypoint.hcl has to be good first",
		})
		return nil
	}
	var checks []doctor.Check
	add := func(name string, run func(context.Context) ([]doctor.Row, error)) {
		checks = append(checks, doctor.Check{Name: name, Run: run})
	}
	for _, source := range e.engine.Sources() {
		add("source "+source, func(ctx context.Context) ([]doctor.Row, error) {
			return answered(ctx, doctor.Row{Name: "source " + source, Finding: "signed in, nothing read"}, e.engine.SignIn(ctx, source))
		})
	}
	for _, app := range e.project.Apps() {
		add("registry of "+app, func(ctx context.Context) ([]doctor.Row, error) { return e.checkRegistry(ctx, app) })
		add("platform of "+app, func(ctx context.Context) ([]doctor.Row, error) {
			return answered(ctx, doctor.Row{Name: "platform of " + app, Finding: "answers"}, e.engine.Reach(ctx, app))
		})
	}
	return checks
}

// answered is [verdict] for a part of the file that may not be there to ask.
func answered(ctx context.Context, row doctor.Row, err error) ([]doctor.Row, error) {
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		row.State, row.Finding = doctor.NotChecked, "it has nothing to ask"
		return []doctor.Row{row}, nil
	case errors.Is(err, engine.ErrLater):
		row.State, row.Finding = doctor.NotChecked, err.Error()
		return []doctor.Row{row}, nil
	}
	return verdict(ctx, row, err)
}

// checkRegistry signs in to where an app's images go.
func (e *examination) checkRegistry(ctx context.Context, app string) ([]doctor.Row, error) {
	row := doctor.Row{Name: "registry of " + app}
	repository, err := e.engine.Repository(ctx, app)
	if err != nil {
		return answered(ctx, row, err)
	}
	if repository == nil {
		row.State, row.Finding = doctor.NotChecked, "nothing is pushed to a registry"
		return []doctor.Row{row}, nil
	}
	registries := oci.Client{HTTP: e.http, Credentials: oci.Credentials{
		Getenv:  e.machine.getenv,
		Environ: func() []string { return workflow.ChildEnviron(e.machine.Environ) },
	}}
	known, err := registries.SignIn(ctx, *repository)
	row.Finding = repository.Name + " takes the login"
	if !known {
		row.Finding = repository.Name + " answers; there is no login for it"
	}
	return verdict(ctx, row, err)
}
