package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
)

const (
	// patience ends a trial whose component waits for something that never
	// comes. It is no measure of speed.
	patience = 2 * time.Minute

	// largestResult is the limit that component.Deployment sets.
	largestResult = 16 << 10

	// environmentSecret is a sensitive value in the environment of every
	// deployment.
	environmentSecret secret.Text = "plugintest-sensitive-value"
)

// trial is one fresh world with one component in it.
type trial struct {
	t       *testing.T
	ctx     context.Context
	subject *subject
	plugin  component.Plugin
	world   World
	calls   *Calls
	seen    *recorder
	host    component.Host
	use     *use
	app     component.App
}

// newTrial makes the world of one trial. It is removed when t ends.
func newTrial(t *testing.T, s *subject) *trial {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	calls := &Calls{}
	tr := &trial{t: t, ctx: calls.arm(ctx, strike{}), subject: s, calls: calls}
	tr.world = s.newWorld(t, calls)
	tr.plugin = s.plugin
	if tr.world.Plugin.Name != "" {
		tr.plugin = tr.world.Plugin
	}
	tr.seen = &recorder{secrets: append(tr.world.Secrets, environmentSecret)}
	tr.host = tr.completeHost()
	source := tr.world.Source
	if source == "" {
		source = t.TempDir()
	}
	tr.app = component.App{
		Project: newID("plugintest"), Name: "web", Workspace: "default", Path: source,
		Labels: map[string]string{"team": "blue"},
	}
	var err error
	tr.use, err = newUse(t.TempDir(), s.kind, s.plugin.Name, tr.world.Config)
	if err != nil {
		t.Fatalf("World.Config: %v", err)
	}
	return tr
}

// completeHost fills in what the world leaves out of its host, and counts what
// goes through it.
func (tr *trial) completeHost() component.Host {
	h := tr.world.Host
	h.Progress, h.Log = tr.seen, tr.seen.logger()
	if h.HTTP == nil {
		h.HTTP = &http.Client{Transport: refusing{}}
	}
	client := *h.HTTP
	reads := tr.world.Reads
	if reads == nil {
		reads = readsByMethod
	}
	base := client.Transport
	if base == nil {
		base = refusing{}
	}
	client.Transport = transport{tr.calls, base, reads}
	h.HTTP = &client
	if h.Getenv == nil {
		h.Getenv = func(string) string { return "" }
	}
	if h.Environ == nil {
		h.Environ = func() []string { return nil }
	}
	if h.Mask == nil {
		h.Mask = func(secret.Text) {}
	}
	if h.Helper == nil {
		h.Helper = func(context.Context, ...string) *exec.Cmd {
			return &exec.Cmd{Err: errors.New("World.Host has no Helper")}
		}
	}
	h.Helper = tr.calls.helper(h.Helper)
	folders := tr.t.TempDir()
	if h.DataDir == "" {
		h.DataDir = filepath.Join(folders, "data")
	}
	if h.CacheDir == "" {
		h.CacheDir = filepath.Join(folders, "cache")
	}
	return h
}

// refusing is the transport of a world without HTTP.
type refusing struct{}

// RoundTrip implements [http.RoundTripper].
func (refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("World.Host has no HTTP client with a transport: %s %s", req.Method, req.URL.Redacted())
}

// operationHost is the host of one operation: its temporary folder is its own.
func (tr *trial) operationHost() component.Host {
	h := tr.host
	h.TempDir = tr.t.TempDir()
	return h
}

// input is what every kind of deploy is given.
func (tr *trial) input(app component.App, id string, sequence int) component.DeployInput {
	return component.DeployInput{
		App: app, ID: id, Sequence: sequence,
		Env: map[string]component.Setting{
			"PLUGINTEST_PLAIN":  {Text: "plain"},
			"PLUGINTEST_SECRET": {Text: environmentSecret, Sensitive: true},
		},
	}
}

// other is an app beside the one under test: another name in one case, another
// workspace in the other.
func (tr *trial) other(name, workspace string) component.App {
	app := tr.app
	app.Name, app.Workspace = name, workspace
	return app
}

// say keeps what a component returned, so that secrets in it are found, and
// returns its error.
func (tr *trial) say(result any, err error) error {
	text, jsonErr := json.Marshal(result)
	tr.seen.note("%s %v %v", text, jsonErr, err)
	return err
}

// reload sends a result through its record. It reports what a record would
// lose.
func reload[T any](result T, load func(json.RawMessage) (T, error)) (T, error) {
	var none T
	if reflect.ValueOf(&result).Elem().IsZero() {
		return none, nil
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return none, fmt.Errorf("the result cannot be recorded: %w", err)
	}
	if len(raw) > largestResult {
		return none, fmt.Errorf("the result takes %d bytes in a record, more than %d", len(raw), largestResult)
	}
	loaded, err := load(raw)
	if err != nil {
		return none, err
	}
	if !reflect.DeepEqual(result, loaded) {
		return none, fmt.Errorf("the result changes in its record: %s", raw)
	}
	return loaded, nil
}

// sameArtifact reports whether two artifacts have the same record.
func sameArtifact(a, b artifact.Artifact) (bool, error) {
	x, err := artifact.Encode(a)
	if err != nil {
		return false, err
	}
	y, err := artifact.Encode(b)
	return string(x) == string(y), err
}

// checkPlan reports what is wrong with a plan.
func checkPlan(p component.Plan) error {
	for _, c := range p.Changes {
		switch c.Action {
		case component.Create, component.Update, component.Replace, component.Delete, component.Keep:
		default:
			return fmt.Errorf("the plan has a change with the action %q", c.Action)
		}
		if c.Subject == "" {
			return fmt.Errorf("the plan says %s, but not of what", c.Action)
		}
	}
	return nil
}
