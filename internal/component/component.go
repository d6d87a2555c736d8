// Package component defines what a plugin is: the five kinds of component,
// what they are given, and what they return.
//
// It holds the contract and the erasure of types behind it, and nothing that
// runs: operations are the engine's, configuration is package config's.
package component

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"sync"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// Plugin declares everything one `use "NAME"` can stand for. A nil field
// means that the plugin has no such component.
type Plugin struct {
	Name     string // as written in waypoint.hcl, e.g. "aws-ecs"
	Summary  string // one line for the reference
	Builder  *BuilderSpec
	Registry *RegistrySpec
	Platform *PlatformSpec
	Releaser *ReleaserSpec
	Sourcer  *SourcerSpec

	// DefaultRelease makes Releaser run after Platform where configuration
	// has no release block.
	DefaultRelease bool

	// BuildsOutside says that Build makes things outside the job (a machine
	// image; any external builder). A plan does not run it.
	BuildsOutside bool

	// Helper runs in a process of its own, started through Host.Helper: a
	// supervisor, or a step that changes its root folder. Nil for most.
	Helper func(ctx context.Context, args []string) error
}

// Host is a plugin's whole access to the world outside its own memory. A
// plugin reads no environment, opens no default client and writes to no
// stream but through its Host, so a test that fills in a Host has it all.
type Host struct {
	Progress Progress
	Log      *slog.Logger // for maintainers; hidden unless debugging
	HTTP     *http.Client
	Getenv   func(string) string // input over environment over file, for this app and workspace
	Environ  func() []string     // for child processes: an allow-list without tokens
	TempDir  string              // removed when the operation ends
	DataDir  string              // this plugin's, survives runs on one machine (pid files)
	CacheDir string              // may vanish between runs

	// CacheScope says which part of a cache that all runs can reach is this
	// run's: what a pull request stores there must not be read by others.
	CacheScope CacheScope

	// ActionsCache is GitHub's cache as this run sees it; nil where there is none.
	ActionsCache ActionsCache

	// Files of the job that build code must not get at, where nothing else keeps
	// it from them: in Hidden are credentials, and by those in Watched the job is
	// given orders. They may be missing.
	Hidden, Watched []string

	// DockerConfig is the content of Docker's configuration file, with logins of
	// registries, as it was when this was made: build code may not read it, and
	// while that is kept from it nobody can. "" is for whoever needs it to read.
	DockerConfig secret.Text

	// IDToken returns a new OIDC token each call. It is nil off a runner.
	IDToken func(ctx context.Context, audience string) (secret.Text, error)

	// Auth says as whom this operation signs in to a cloud, by provider: what the
	// auth blocks of the file say for its app, workspace and kind.
	Auth map[string]Auth

	// SignIns holds what the operations of a run share, so that each identity
	// signs in once: whoever signs in stores it by a key of a type of its own. Nil
	// shares nothing.
	SignIns *sync.Map

	// Mask hides a text in everything that the run writes from then on: a token
	// that the plugin was given by a service. Call it before the text is used.
	Mask func(secret.Text)

	// Helper is this program again, running Plugin.Helper.
	Helper func(ctx context.Context, args ...string) *exec.Cmd
}

// Auth is what an auth block says of one operation.
type Auth struct {
	Role      string            // to assume with the job's OIDC token; plan_role where the operation changes no platform
	Accounts  []string          // which alone may be touched; nil for any
	Arguments map[string]string // what else the provider's block says, such as region
}

// CacheScope is made of words of lower-case letters, digits and dashes.
type CacheScope struct {
	Write string   // where this run stores; "" stores nothing
	Read  []string // where it looks, in this order
}

// ActionsCache is what runs of a repository's workflows keep for later ones:
// entries that have a key of at most 512 characters and never change. Its methods
// may run concurrently.
type ActionsCache interface {
	// Open opens an entry, which the caller closes; content is nil where there
	// is none.
	Open(ctx context.Context, key string) (content io.ReadCloser, err error)

	// OpenNewest opens the newest entry whose key begins with prefix, and tells
	// its key. The caller closes it; content is nil where there is none.
	OpenNewest(ctx context.Context, prefix string) (key string, content io.ReadCloser, err error)

	// Add stores an entry. One that is there stays, and that is no error.
	Add(ctx context.Context, key string, content io.ReaderAt, size int64) error
}

// Progress tells the user what is going on.
type Progress interface {
	// Step runs fn as one named step: it shows title, times fn, marks the
	// step done or failed by fn's error, and returns that error. Steps may
	// run concurrently and may nest.
	Step(ctx context.Context, title string, fn func(context.Context, Step) error) error
}

// Step is a step that is running. It is valid only inside its function.
type Step interface {
	// Update replaces the step's status line.
	Update(format string, args ...any)

	// Output takes the raw output of a tool. Text in it that looks like a
	// workflow command is shown, never obeyed.
	Output() io.Writer
}

// App says which application, where, and for whom an operation runs.
type App struct {
	Project   string
	Name      string
	Workspace string
	Path      string // absolute folder of the application's source
	Labels    map[string]string
}

// Label makes a DNS label of at most limit characters of name: lower case,
// every other character a dash.
func Label(name string, limit int) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name)
	label = strings.TrimLeft(label, "-")
	if label != "" && label[0] >= '0' && label[0] <= '9' {
		label = "x" + label // RFC 1035: a label starts with a letter
	}
	label = strings.TrimRight(label[:min(limit, len(label))], "-")
	if label == "" {
		return "x"
	}
	return label
}
