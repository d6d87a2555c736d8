package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/oidc"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
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

// identityChecks ask for the job's OIDC token, and sign in with it as whom the
// file names.
func (e *examination) identityChecks() []doctor.Check {
	ask := e.idToken()
	if ask == nil {
		e.rows = append(e.rows, doctor.Row{Name: "OIDC", State: doctor.NotChecked, Finding: "only a job has an OIDC token"})
		return nil
	}
	checks := []doctor.Check{{Name: "OIDC", Failed: doctor.Warning, Run: func(ctx context.Context) ([]doctor.Row, error) {
		row := doctor.Row{Name: "OIDC", State: doctor.Warning}
		token, err := ask(ctx, "")
		if err != nil {
			return verdict(ctx, row, err)
		}
		claims, err := oidc.Read(token)
		if err != nil {
			return verdict(ctx, row, err)
		}
		return []doctor.Row{{Name: "OIDC", State: doctor.OK, Finding: claims.String()}}, nil
	}}}
	for _, role := range e.roles() {
		name := fmt.Sprintf("auth %s, %s", role.Provider, role.Argument)
		if role.App != "" {
			name += " of " + role.App
		}
		checks = append(checks, doctor.Check{Name: name, Run: func(ctx context.Context) ([]doctor.Row, error) {
			return e.checkRole(ctx, doctor.Row{Name: name, Finding: cmp.Or(role.Name, "not known before the run")}, role)
		}})
	}
	return checks
}

// roles returns what auth blocks name.
func (e *examination) roles() []config.Role {
	if e.engine == nil || e.problems.HasErrors() {
		return nil
	}
	return e.project.Roles(e.engine.Scope)
}

// checkRole signs in as an auth block says, and asks the cloud who we are.
func (e *examination) checkRole(ctx context.Context, row doctor.Row, role config.Role) ([]doctor.Row, error) {
	app, diags := e.authApp(role.App)
	if role.Provider != "aws" || role.Name == "" || diags.HasErrors() {
		row.State, row.Remedy = doctor.NotChecked, "this version does not sign in there"
		return []doctor.Row{row}, nil
	}
	host := e.checkHost(app, component.Plugin{Name: "doctor"})
	host.Auth = authOf(app, role.Argument == "role")
	session, err := aws.Open(host, "")
	if err != nil {
		return verdict(ctx, row, err)
	}
	who, err := session.SignIn(ctx)
	row.Finding += "; signed in as " + who.ARN
	return verdict(ctx, row, err)
}

// authApp returns what stands for an app, or for the project where it is "", to
// sign in for.
func (e *examination) authApp(name string) (*config.App, hcl.Diagnostics) {
	if name != "" {
		return e.project.App(name, e.engine.Scope)
	}
	auth, diags := e.project.Auth(e.engine.Scope)
	return &config.App{Auth: auth}, diags
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
