package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// helperVerb is the hidden word that starts a plugin's helper process.
const helperVerb = "plugin-helper"

// host makes what one operation of a plugin may touch.
func (s *session) host(app *config.App, plugin component.Plugin, changing bool) (component.Host, func(), error) {
	if err := s.machine.fence.check(); err != nil {
		return component.Host{}, nil, err
	}
	temp, err := os.MkdirTemp(s.tempDir, "operation-")
	if err != nil {
		return component.Host{}, nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	done := func() { _ = os.RemoveAll(temp) } // what is left goes with the session's folder
	h := s.checkHost(app, plugin)
	h.TempDir = temp
	h.Auth = authOf(app, changing)
	return h, done, nil
}

// checkHost is [session.host] for a component that is opened and not used: it
// has no temporary folder.
func (s *session) checkHost(app *config.App, plugin component.Plugin) component.Host {
	environ := func() []string { return s.childEnviron(app) }
	getenv := func(name string) string {
		return cmp.Or(s.machine.getenv(name), app.Runner[name].Text.Reveal())
	}
	hidden, watched := s.machine.jobFiles(getenv)
	h := component.Host{
		Progress:   s.ui,
		Log:        s.ui.Logger().With("app", app.Name, "plugin", plugin.Name),
		HTTP:       s.http,
		Getenv:     getenv,
		Environ:    environ,
		DataDir:    filepath.Join(s.dataDir, "plugins", plugin.Name),
		CacheDir:   filepath.Join(s.dataDir, "cache", plugin.Name),
		CacheScope: cacheScope(s.machine.runner.Active(), s.machine.runner.Context()),
		Hidden:     hidden,
		Watched:    watched,
		IDToken:    s.idToken(),
		Auth:       authOf(app, false),
		SignIns:    &s.signIns,

		DockerConfig: oci.KeepDockerConfig(getenv),
		Mask:         s.secrets.Add,
		Helper: func(ctx context.Context, args ...string) *exec.Cmd {
			cmd := s.machine.Self(ctx, append([]string{helperVerb, plugin.Name}, args...)...)
			cmd.Env = append(cmd.Env, environ()...)
			return cmd
		},
	}
	if cache := s.actionsCache(); cache != nil {
		h.ActionsCache = cache
	}
	return h
}

// actionsCache returns GitHub's cache; nil where there is none, as off a runner.
func (s *session) actionsCache() *github.Cache {
	if !s.machine.runner.Active() {
		return nil
	}
	service, err := s.machine.service(s.http, s.secrets)
	if err != nil {
		return nil // what is wrong with the service is told where state is kept in it
	}
	return service.Cache()
}

// authOf is what the auth blocks of an app say of an operation.
func authOf(app *config.App, changing bool) map[string]component.Auth {
	all := map[string]component.Auth{}
	for provider, auth := range app.Auth {
		all[provider] = auth.For(changing)
	}
	return all
}

// idToken returns what asks for the job's OIDC token; nil off a runner.
func (s *session) idToken() func(context.Context, string) (secret.Text, error) {
	m := s.machine
	if !m.runner.Active() {
		return nil
	}
	issuer := github.Issuer{
		URL: m.getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), Token: secret.Text(m.getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")), HTTP: s.http,
	}
	return func(ctx context.Context, audience string) (secret.Text, error) {
		token, err := issuer.IDToken(ctx, audience)
		if errors.Is(err, github.ErrNoIDToken) {
			return "", &diag.Problem{
				Summary: "No OIDC token to be had",
				Detail: "The job may not ask for one. Add `id-token: write` to the `permissions` of the job. " +
					"A pull request from a fork gets none in any case, so that its code cannot sign in as this repository.",
			}
		}
		s.secrets.Add(token)
		return token, err
	}
}

// childEnviron is what child processes see of our environment, with what the
// file sets for them.
func (s *session) childEnviron(app *config.App) []string {
	environ := workflow.ChildEnviron(s.machine.Environ)
	for _, name := range slices.Sorted(maps.Keys(app.Runner)) {
		if s.machine.getenv(name) == "" {
			environ = append(environ, name+"="+app.Runner[name].Text.Reveal())
		}
	}
	return environ
}

// runHelper is this program as a plugin's helper process.
func runHelper(ctx context.Context, sys Sys) int {
	if len(sys.Args) < 3 {
		return exitInvalid
	}
	plugins := sys.plugins()
	i := slices.IndexFunc(plugins, func(p component.Plugin) bool { return p.Name == sys.Args[2] && p.Helper != nil })
	if i < 0 {
		fmt.Fprintf(sys.Stderr, "plugin %q has no helper\n", sys.Args[2])
		return exitInvalid
	}
	if err := plugins[i].Helper(ctx, sys.Args[3:]); err != nil {
		fmt.Fprintln(sys.Stderr, err)
		return exitFailed
	}
	return exitDone
}
