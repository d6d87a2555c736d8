package app

import (
	"context"
	"net/http"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// signOutTime is how long making the token of a GitHub App useless may take. It
// ends by itself within the hour.
const signOutTime = 2 * time.Second

// githubApp returns the GitHub App that acts in place of the job; nil where no
// input names one. The caller signs it out.
func (m *machine) githubApp(client *http.Client, known *secret.Set) (*github.App, error) {
	if m.app != nil {
		return m.app, nil // of whom each has a token, which only the last one would revoke
	}
	id, key := m.runner.Input("github-app-id"), secret.Text(m.runner.Input("github-app-private-key"))
	switch {
	case id == "" && key == "":
		return nil, nil
	case key == "":
		return nil, invalid("The GitHub App has no private key",
			"The input `github-app-id` is set and `github-app-private-key` is empty. A secret is empty where the repository does not have it, and in runs of forks and of Dependabot.")
	case id == "":
		return nil, invalid("The GitHub App has no ID", "The input `github-app-private-key` is set and `github-app-id` is empty. Set it to the App's ID, or to its client ID.")
	}
	run := m.runner.Context()
	app, err := github.NewApp(github.AppOptions{ID: id, Key: key, Secrets: known, API: run.APIURL, Repository: run.Repository, HTTP: client})
	if err != nil {
		return nil, invalid("The GitHub App cannot sign in", err.Error()+".")
	}
	m.app = app
	return app, nil
}

// signOut makes the token of the GitHub App useless, if there is one.
func (m *machine) signOut(ctx context.Context) {
	if m.app == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signOutTime)
	defer cancel()
	if err := m.app.Close(ctx); err != nil {
		m.runner.Warning("The token of the GitHub App lives on until its hour is over: " + err.Error())
	}
}
