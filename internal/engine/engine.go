// Package engine runs operations: build, push, deploy, release and the verbs
// around them, with their hooks, records and reports.
//
// It knows no plugin, no runner and no GitHub: all of that is handed to it as
// values, so that it is tested without them.
package engine

import (
	"context"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
)

// UI is the user's view of a run.
type UI interface {
	component.Progress

	// Group opens a section of the log that can be folded; end closes it.
	Group(title string) (end func())

	// Diagnostics shows each diagnostic in the log with its source lines,
	// and as an annotation on the file where it has a range.
	Diagnostics(diags hcl.Diagnostics)

	// Print shows one line of plain text: a URL, a table row, a hint.
	Print(format string, args ...any)

	// Plan shows what would change.
	Plan(app string, p component.Plan)

	// Summary appends Markdown to the page of the run.
	Summary(markdown string)
}

// Reporter tells people outside the job how an operation is going. It updates
// the GitHub Deployment that [state.Store.Put] left as the intent and creates
// none. What is reported of an app after an operation of it failed undoes the
// failure, which stays one. An error from it is a warning to the user and never
// fails the operation.
type Reporter interface {
	Report(ctx context.Context, r state.Record) error
}

// Engine runs operations on the apps of one project. All fields but Reporter,
// Ancestry, Fence, Incomplete, Lost and Embedded are required.
type Engine struct {
	Project  *config.Project
	Scope    config.Scope
	Plugins  map[string]component.Plugin // by name
	Store    state.Store
	UI       UI
	Reporter Reporter // nil where nobody is told
	Secrets  *secret.Set
	Origin   state.Origin

	// Workspace is the one that Scope was made for.
	Workspace string

	// Host returns a host for one operation of one plugin, and what removes
	// its temporary folder. An operation that changes a platform may sign in as
	// somebody else than one that does not.
	Host func(app *config.App, plugin component.Plugin, changing bool) (host component.Host, done func(), err error)

	// CheckHost returns a host for a component that is opened to see whether
	// its configuration is right, and not used. It has no temporary folder.
	CheckHost func(app *config.App, plugin component.Plugin) component.Host

	// CheckHook reports a hook that cannot run here: a command that is not
	// there. Hook runs one and shows its output.
	CheckHook func(h config.Hook) error
	Hook      func(ctx context.Context, app *config.App, h config.Hook, out component.Step) error

	// ScopeIn evaluates the head of the file for another workspace, with labels
	// under those of the command line: for steps of pipelines that say so.
	ScopeIn func(workspace string, labels map[string]string) (config.Scope, hcl.Diagnostics)

	// CheckCommand reports a command of a pipeline that cannot run here, and
	// gets its image ready, unless that is for later: a step before may make it.
	// Command runs one and shows its output.
	CheckCommand func(ctx context.Context, app *config.App, c config.ExecStep, later bool) error
	Command      func(ctx context.Context, app *config.App, c config.ExecStep, out component.Step) error

	// Ended reports whether the run that made a record is over, so that what
	// it left unfinished may be healed.
	Ended func(ctx context.Context, origin state.Origin) bool

	// Ancestry says how a commit stands to another one. Its error is why that is
	// not known. Nil where there is no history.
	Ancestry func(ctx context.Context, commit, to string) (Ancestry, error)

	// Fence returns an error once somebody else has taken over what this run
	// does, so that it may change nothing more. Nil where nobody can.
	Fence func() error

	// Incomplete reports whether something of an app is known to have been
	// deployed that no record tells of. It speaks of what the store listed
	// before. Nil where the state is never lost.
	Incomplete func(app string) bool

	// Lost reports whether the newest records of an app are known to be lost, so
	// that what is left may be over. It speaks of what the store listed before.
	// Nil where the state is never lost.
	Lost func(app string) bool

	// Embedded stores images where an app has no registry block. Nil where
	// there is no such place, as in a runner.
	Embedded *component.RegistrySpec

	// Now is the clock of records.
	Now func() time.Time

	opened     opened // what is closed at the end
	sources    kept   // that are open
	unanswered bool   // they could not be asked, by a verb that can do without
}
