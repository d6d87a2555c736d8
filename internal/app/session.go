package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/term"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// stateFolder is where a terminal keeps records, beside waypoint.hcl.
const stateFolder = ".deploy-action"

// sessionOptions are the flags of every verb.
type sessionOptions struct {
	workspace, dir, state, reason string
	variables, varFiles, labels   []string
	plain, debug, json            bool
	unlocked                      bool // no lock is taken outside this process
}

// session is one verb's work: everything that is opened for it, wired up.
type session struct {
	machine *machine
	ui      *ui.UI
	secrets *secret.Set
	http    *http.Client
	project *config.Project
	engine  *engine.Engine
	inputs  config.Inputs // what the engine's scope was made of
	tempDir string        // removed at the end
	dataDir string        // survives runs on one machine
	headRef string        // the branch of the workspace's pull request, where the event is not about it
	closers []func() error
	timeout time.Duration // of one operation; 0 where the file says

	programs sync.Map // paths of programs that were looked up, by name
	signIns  sync.Map // at clouds, for the whole run

	problems    hcl.Diagnostics             // of the file and its variables
	shown       hcl.Diagnostics             // all that the user was shown
	sources     map[string]*hcl.File        // of files that are not the project's
	results     []engine.Result             // of the verb
	reporter    *report.Reporter            // nil where GitHub is not told
	uncommented int                         // comments that could not be written
	api         *github.Client              // of the repository; nil before it is needed
	release     func(context.Context) error // gives the locks back; nil where there are none
	uploaded    func() map[string]int64     // the state artifacts of this run, by app; nil where there are none

	handover func(context.Context) *runstore.Handover // what a job before this one found out; nil where there are no artifacts
}

var (
	_ engine.UI          = (*ui.UI)(nil)
	_ component.Progress = (*ui.UI)(nil)
)

// run opens a session, runs the verb in it, and closes it.
func (m *machine) run(ctx context.Context, f *flags, v verb, args []string) int {
	ctx, leave := m.guard(ctx)
	defer leave()
	if v.only != nil {
		v.changes = v.changes && v.only(f, args)
	}
	known := &secret.Set{Mask: m.runner.Mask}
	m.runner.Secrets = known
	m.takeInputs(known)
	s := &session{machine: m, secrets: known, project: &config.Project{}, timeout: f.Timeout}
	s.ui = s.newUI(f.session, v)
	var err error
	if !v.fileless {
		err = s.begin(ctx, f.session, v)
	}
	if err == nil && v.changes {
		err = s.takeTurn(ctx, f.Apps)
	}
	switch {
	case err == nil:
		err = m.await(ctx, func() error { return v.run(ctx, s, f, args) })
	case v.unbegun != nil:
		v.unbegun(ctx, s)
	}
	if errors.Is(err, errGivenUp) {
		return s.giveUp(ctx, v)
	}
	err = s.close(ctx, v, err)
	s.summarize(v.name(), err)
	status := s.exitStatus(ctx, err)
	if v.ended != nil {
		v.ended(s, f, status)
	}
	return status
}

// begin opens the file, shows what is wrong with it, and opens the store.
func (s *session) begin(ctx context.Context, o sessionOptions, v verb) error {
	err := s.open(o, v)
	switch {
	case !s.problems.HasErrors():
	case v.recalls && err == nil && s.project.Name() != "":
		s.ui.Diagnostics(asWarnings(s.problems))
	default:
		err = s.everyProblem(ctx, err)
	}
	if err == nil && v.changes {
		err = s.refAllowed(s.engine.Workspace)
	}
	if err == nil && !v.stateless {
		err = s.openState(ctx, o, v)
	}
	return err
}

// newUI chooses how the run is shown.
func (s *session) newUI(o sessionOptions, v verb) *ui.UI {
	m := s.machine
	options := ui.Options{
		Out: m.Stdout, Secrets: s.secrets, Now: time.Now, Debug: o.debug,
		Files: s.files, Dir: m.Dir,
		Heard: func(diags hcl.Diagnostics) { s.shown = append(s.shown, diags...) },
	}
	if m.runner.Active() {
		options.Runner = m.runner
		options.Debug = o.debug || m.runner.Debug()
		options.Color = m.getenv("NO_COLOR") == ""
	} else if o.json || v.prints {
		options.Out = m.Stderr // standard output is for the result alone
	} else if out, ok := m.Stdout.(*os.File); ok && !o.plain && term.IsTerminal(int(out.Fd())) {
		options.Live = m.getenv("TERM") != "dumb"
		options.Color = options.Live && m.getenv("NO_COLOR") == ""
		options.Width, _, _ = term.GetSize(int(out.Fd())) // 0: no limit
	}
	return ui.New(options)
}

// open reads the file and makes the engine, all but its store.
func (s *session) open(o sessionOptions, v verb) error {
	if err := s.load(o); err != nil {
		return err
	}
	return s.equip(o, v)
}

// equip makes the engine of a project, all but its store.
func (s *session) equip(o sessionOptions, v verb) error {
	var err error
	// In the action's own image /tmp is elsewhere while a RUN has its files in "/".
	if s.tempDir, err = os.MkdirTemp(sandbox.Home(), "deploy-action-"); err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	s.closers = append(s.closers, func() error { return os.RemoveAll(s.tempDir) })
	s.dataDir = s.machine.dataDir(s.project.Dir())
	if s.http, err = s.machine.client(); err != nil {
		return err
	}
	labels, err := pairs("--label", o.labels)
	if err != nil {
		return err
	}
	workspace := s.workspace(o)
	s.inputs = config.Inputs{
		Workspace: workspace, Variables: o.variables, VarFiles: s.machine.fromDir(o.varFiles),
		Environ: s.machine.Environ, Labels: labels, Secrets: s.secrets, TempDir: s.tempDir,
		GitHub: s.machine.githubObject(),
	}
	scope, diags := s.project.Scope(s.inputs)
	s.problems = append(s.problems, diags...)
	if !s.problems.HasErrors() {
		s.ui.Diagnostics(s.problems) // warnings
	}
	s.engine = &engine.Engine{
		Project: s.project, Scope: scope, Workspace: workspace,
		Plugins: byName(s.machine.plugins()), UI: s.ui, Secrets: s.secrets,
		Host: s.host, CheckHost: s.checkHost, CheckHook: s.checkHook, Hook: s.runHook, Now: time.Now,
		ScopeIn: s.scopeIn, CheckCommand: s.checkCommand, Command: s.runCommand, Ancestry: s.ancestry, Fence: s.machine.fence.check,
	}
	if v.changes {
		s.engine.Origin = s.origin(o.reason)
	}
	s.embed()
	return nil
}

// load finds and reads waypoint.hcl.
func (s *session) load(o sessionOptions) error {
	path, err := s.find(o)
	if err != nil {
		return err
	}
	s.project, s.problems = config.Load(path)
	return nil
}

// find returns the path of waypoint.hcl.
func (s *session) find(o sessionOptions) (string, error) {
	dir, err := s.folder(o)
	if err != nil {
		return "", err
	}
	path, err := config.Find(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", s.noFile(dir)
	}
	if err != nil {
		return "", invalid("Unreadable configuration", err.Error()+". Check the path and its permissions.")
	}
	return path, nil
}

// folder is where the verb works: that of --dir, or the present one.
func (s *session) folder(o sessionOptions) (string, error) {
	if o.dir == "" {
		return s.machine.Dir, nil
	}
	dir := s.machine.fromDir([]string{o.dir})[0]
	// A search upwards from a folder that is not there could find another project.
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", invalid("No such folder", fmt.Sprintf("--dir, or the input `dir`, names %q, which is no folder. It takes the folder of waypoint.hcl.", dir))
	}
	return dir, nil
}

// files are the sources of what diagnostics point at.
func (s *session) files() map[string]*hcl.File {
	if s.sources != nil {
		return s.sources
	}
	return s.project.Files()
}

// asWarnings shows problems that do not stop the verb.
func asWarnings(problems hcl.Diagnostics) hcl.Diagnostics {
	warnings := make(hcl.Diagnostics, len(problems))
	for i, d := range problems {
		w := *d
		w.Severity = hcl.DiagWarning
		warnings[i] = &w
	}
	return warnings
}

// everyProblem joins the problems of the file and its variables with those of
// all stages, so that an author sees them at once.
func (s *session) everyProblem(ctx context.Context, opened error) error {
	problems := s.problems
	err := opened
	if opened == nil {
		err = s.engine.Validate(ctx, engine.Options{})
	}
	if more, ok := errors.AsType[*engine.InvalidError](err); ok {
		problems = append(problems, more.Diags...)
	}
	return &engine.InvalidError{Diags: engine.Unique(problems)}
}

// noFile explains a missing waypoint.hcl.
func (s *session) noFile(dir string) error {
	detail := fmt.Sprintf("There is no waypoint.hcl or waypoint.hcl.json in %s, nor in a folder above it. Write one with `deploy-action init`, or name its folder with --dir.", dir)
	if s.machine.runner.Active() {
		detail = "There is no waypoint.hcl in the workspace of this job. Name its folder with the input `dir`."
		if entries, err := os.ReadDir(dir); err == nil && len(entries) == 0 {
			detail = "The workspace of this job is empty, because the repository was not checked out. Add the step `- uses: actions/checkout@v4` before this one."
		}
	}
	return invalid("No waypoint.hcl found", detail)
}

// closeSources gives back what sources of values lent. That it could not is no
// failure: what is lent runs out by itself.
func (s *session) closeSources(ctx context.Context) {
	if err := s.engine.Close(ctx); err != nil {
		s.ui.Diagnostics(hcl.Diagnostics{{
			Severity: hcl.DiagWarning,
			Summary:  "A source of values could not be closed",
			Detail:   fmt.Sprintf("%v. Its token stays valid until it runs out.", err),
		}})
	}
}

// workspace returns the chosen workspace: flag over environment over default.
func (s *session) workspace(o sessionOptions) string {
	for _, name := range []string{o.workspace, s.machine.getenv("WAYPOINT_WORKSPACE")} {
		if name != "" {
			return name
		}
	}
	return "default"
}

// pairs reads key=value words.
func pairs(flag string, words []string) (map[string]string, error) {
	values := map[string]string{}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if !ok || key == "" {
			return nil, invalid(fmt.Sprintf("Invalid %s", flag), fmt.Sprintf("It is %q; the form is key=value.", word))
		}
		values[key] = value
	}
	return values, nil
}

func byName(plugins []component.Plugin) map[string]component.Plugin {
	named := make(map[string]component.Plugin, len(plugins))
	for _, p := range plugins {
		named[p.Name] = p
	}
	return named
}
