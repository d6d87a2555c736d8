package component

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Platform runs artifacts of type A and remembers each run as a D.
type Platform[A artifact.Artifact, D Deployment] interface {
	// Plan says what Deploy would do. It sends no request that changes
	// anything.
	Plan(ctx context.Context, req DeployRequest[A]) (Plan, error)

	// Deploy creates the deployment named req.ID, or adopts and completes it
	// where an earlier attempt left off, and returns once it serves. The new
	// deployment takes no traffic that a releaser would give it.
	//
	// When Deploy fails or ctx ends it returns, beside the error, a D that
	// describes what exists by then, so that Destroy can remove it. A zero D
	// means that nothing was made.
	Deploy(ctx context.Context, req DeployRequest[A]) (D, error)

	// Find returns what the platform holds of app by its labels, newest first,
	// half-made deployments included. It serves runs that died without a
	// record, state recover, and sweeps.
	Find(ctx context.Context, app App) ([]Target[D], error)

	// Restore puts the content of req.From back where a platform updates in
	// place (helm revision, applied manifests, job version). Where it returns
	// errors.ErrUnsupported the engine deploys the recorded artifact again. Like
	// Destroy it takes nothing from what does not carry the labels of its app.
	Restore(ctx context.Context, req RestoreRequest[D]) (D, error)

	// Status asks the platform how t fares, and what differs from what Deploy
	// made.
	Status(ctx context.Context, t Target[D]) (Health, error)

	// Logs yields what the instances of t wrote, oldest first, with the
	// platform's own events among them. The engine calls it when Deploy
	// fails, and for the verb logs.
	Logs(ctx context.Context, t Target[D], req LogRequest) iter.Seq2[LogLine, error]

	// Exec runs a command in one instance of t and returns its exit status.
	Exec(ctx context.Context, t Target[D], req ExecRequest) (status int, err error)

	// Destroy removes what belongs to t alone. What is already gone is no error.
	// t says where to look and is no authority, for a record can be forged: what
	// does not carry the labels of t's app and ID is left, and is no error.
	Destroy(ctx context.Context, t Target[D]) error

	// DestroyShared removes what deployments of app share in its workspace
	// (load balancer, function, namespace), and only if it carries our labels.
	// The engine calls it after the last Destroy, and also when no record is left.
	DestroyShared(ctx context.Context, app App) error
}

// Target is an existing deployment as the engine knows it. Deployment is zero
// where the record of a run that died does not hold it: then the ID alone says
// what is meant.
type Target[D any] struct {
	App        App
	ID         string
	Sequence   int
	Deployment D
}

// DeployRequest is what a [Platform] is given.
type DeployRequest[A artifact.Artifact] struct {
	Artifact A
	DeployInput
}

// DeployInput is the untyped part of a [DeployRequest]; erasure copies it whole.
type DeployInput struct {
	App      App
	ID       string // a DNS label of at most 30 characters, new for each deployment; made up in a plan
	Sequence int
	Env      map[string]Setting   // by variable name
	Files    map[string]Setting   // by path; a platform that cannot deliver files returns a Problem in Plan
	Pull     *artifact.Repository // how the platform may pull the image; nil when unknown
}

// Setting is one value of the application's config block.
type Setting struct {
	Text      secret.Text
	Sensitive bool // false for what is written in the file: a ConfigMap and a readable diff will do
}

// RestoreRequest is what [Platform.Restore] is given.
type RestoreRequest[D Deployment] struct {
	DeployInput
	From Target[D]
}

// Deployment is what a platform must remember: all that is needed to find its
// objects again (region, cluster, namespace), no secret, at most 16 KiB. What
// is larger, such as applied manifests, is kept on the platform.
// Implementations are plain structs that survive a JSON round trip, changed
// only by adding fields.
type Deployment interface {
	// Vars returns what configuration reads as deploy.NAME.
	Vars() map[string]cty.Value

	// URL returns where the deployment answers, or "".
	URL() string

	// Generation names the object that deploys update in place, or is "" for
	// a deployment of its own. Of several deployments with the same generation
	// the newest that was released is what the object holds, and a newer one
	// until it is released or has failed. No prune destroys any of them while
	// one lives; they are superseded.
	Generation() string
}

// LogRequest says which lines [Platform.Logs] yields. Its zero value is all
// there are by now.
type LogRequest struct {
	Since  time.Time
	Tail   int  // the last lines of each instance; 0 for all
	Follow bool // go on until ctx ends
}

// LogLine is one line of output, or one event of the platform.
type LogLine struct {
	Time     time.Time
	Instance string // which one wrote it; "" for an event
	Text     string
}

// ExecRequest is a command for an instance.
type ExecRequest struct {
	Command        []string
	Instance       string // "" for any
	TTY            bool
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Health is how a deployment fares.
type Health struct {
	State   HealthState
	Message string   // for people; one line
	Drift   []Change // how live objects differ from what Deploy made; nil when equal or unknown
}

// HealthState sums up a [Health].
type HealthState string

// The health states.
const (
	Ready    HealthState = "ready"
	Starting HealthState = "starting"
	Degraded HealthState = "degraded" // serves, but not as asked for
	Down     HealthState = "down"
	Missing  HealthState = "missing" // the platform does not know it
	Unknown  HealthState = "unknown"
)

// Unsupported is embedded by a platform that cannot Find, Restore, Logs, Exec
// or share: its methods return errors.ErrUnsupported. plugintest lists what is
// unsupported; the reference prints it.
type Unsupported[D Deployment] struct{}

// Find returns errors.ErrUnsupported.
func (Unsupported[D]) Find(context.Context, App) ([]Target[D], error) {
	return nil, errors.ErrUnsupported
}

// Restore returns errors.ErrUnsupported.
func (Unsupported[D]) Restore(context.Context, RestoreRequest[D]) (D, error) {
	var none D
	return none, errors.ErrUnsupported
}

// Logs yields errors.ErrUnsupported.
func (Unsupported[D]) Logs(context.Context, Target[D], LogRequest) iter.Seq2[LogLine, error] {
	return FailedLogs(errors.ErrUnsupported)
}

// Exec returns errors.ErrUnsupported.
func (Unsupported[D]) Exec(context.Context, Target[D], ExecRequest) (int, error) {
	return 0, errors.ErrUnsupported
}

// DestroyShared returns errors.ErrUnsupported.
func (Unsupported[D]) DestroyShared(context.Context, App) error { return errors.ErrUnsupported }

// FailedLogs yields err and no line.
func FailedLogs(err error) iter.Seq2[LogLine, error] {
	return func(yield func(LogLine, error) bool) { yield(LogLine{}, err) }
}
