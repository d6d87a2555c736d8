package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/state"
)

// lastWords is how long the engine goes on after its context ended, to save a
// record and tell people. A runner gives a few seconds.
const lastWords = 5 * time.Second

// run is one verb's work on one app, under the app's lock.
type run struct {
	*Engine
	*pipeline
	options Options
	scope   config.Scope // grows as stages finish
	history history
	stage   string // the one that is running
	result  Result

	planning bool // no stage changes anything

	knowsHistory bool // it was read, and may be empty

	lookout *lookout         // for newer runs; nil where the verb goes over them
	healed  bool             // what was lost of the state is looked for once
	gaps    []string         // what could not be found
	silent  map[string]error // why platforms did not say what they hold, by plugin

	atOnce    bool // a release is not done in steps: users wait for it
	moved     bool // the release may have moved traffic
	givenBack bool // it did, and gave all of it back
	undoing   bool // what is done now undoes a failure

	artifact       artifact.Artifact // what the last of build and push made
	artifactLabels map[string]string // what the builder said of it
	artifactRecord string            // ID of its record
	target         component.Target[component.Deployment]
	targetRecord   string // ID of the target's record
	targetURL      string // of the target, as recorded
}

// operation is one run of one stage.
type operation struct {
	run    *run
	stage  *config.Stage // whose use block is read; nil where the file has none
	hooked *config.Stage // whose hooks run; nil where the file has none
	plugin component.Plugin
	record state.Record

	deadline *deadline // of the plugin's work; nil for none
	delayed  bool      // a hook has run before it
}

// step is an operation, or one of the layers around it.
type step func(ctx context.Context, op *operation) error

// perform runs body as one operation of the named stage. All that surrounds a
// stage is here, outermost first.
func (r *run) perform(ctx context.Context, op *operation, body step) error {
	return grouped(recorded(reported(hooked(body))))(ctx, op)
}

// begin prepares the operation of a stage. The record is not saved yet.
func (r *run) begin(name string, stage *config.Stage) *operation {
	labels := r.app.Labels
	if stage != nil && stage.Plugin != "" {
		labels = stage.Labels
	}
	message := ""
	if r.undoing {
		message = "put back after a failure"
	}
	return &operation{run: r, stage: stage, hooked: stage, plugin: r.plugins[name], record: state.Record{
		Schema:    state.Schema,
		ID:        state.NewID(r.Now()),
		Operation: name,
		Status:    state.Running,
		Project:   r.app.Project,
		App:       r.app.Name,
		Workspace: r.app.Workspace,
		Labels:    labels,
		Plugin:    r.plugins[name].Name,
		Sequence:  r.history.next(name),
		Message:   message,
		Origin:    r.Origin,
	}}
}

// grouped folds the operation's part of the log.
func grouped(next step) step {
	return func(ctx context.Context, op *operation) error {
		end := op.run.UI.Group(op.record.App + ": " + op.record.Operation)
		defer end()
		return next(ctx, op)
	}
}

// recorded saves a running record before anything is touched, and the outcome
// afterwards, also when ctx has ended by then.
func recorded(next step) step {
	return func(ctx context.Context, op *operation) error {
		op.record.Started = op.run.Now().UTC()
		err := op.save(ctx)
		if err == nil {
			err = next(ctx, op)
		}
		op.record.Ended = op.run.Now().UTC()
		switch {
		case err == nil:
			op.record.Status = state.Succeeded
		case ctx.Err() != nil && op.run.givenBack: // so that nothing is left to settle
			op.record.Status, op.record.Message = state.Failed, "interrupted, and given back: "+firstLine(err)
		case ctx.Err() != nil:
			op.record.Status, op.record.Message = state.Interrupted, "interrupted: "+firstLine(err)
		case isOutdated(err): // no message: nothing went wrong, and measures count what did
			op.record.Status, op.record.Message = state.Failed, ""
		default:
			op.record.Status, op.record.Message = state.Failed, firstLine(err)
		}
		saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		outdated := isOutdated(err) // which is no failure, and told at the end
		err = errors.Join(err, op.save(saving))
		if !outdated {
			op.run.report(saving, op.record)
		}
		op.run.result.Records = append(op.run.result.Records, op.record)
		return err
	}
}

// reported tells people outside the job that the operation has begun.
func reported(next step) step {
	return func(ctx context.Context, op *operation) error {
		op.run.report(ctx, op.record)
		return next(ctx, op)
	}
}

// hooked runs the stage's hooks before and after it. The first hook that fails
// and may not ends the operation; what the stage made stays in the record.
func hooked(next step) step {
	return func(ctx context.Context, op *operation) error {
		if err := op.hooks(ctx, "before"); err != nil {
			return err
		}
		if err := next(ctx, op); err != nil {
			return err
		}
		return op.hooks(ctx, "after")
	}
}

func (op *operation) hooks(ctx context.Context, when string) error {
	if op.hooked == nil {
		return nil
	}
	hooks, diags := op.hooked.Hooks(op.run.scope)
	if diags.HasErrors() {
		return diags
	}
	for _, h := range hooks {
		if h.When != when {
			continue
		}
		err := op.hook(ctx, h)
		op.delayed = true
		if err != nil && h.Fatal {
			return diag.Locate(err, nil, h.Range)
		}
		if err != nil {
			op.run.note("The hook %q failed; on_failure says to go on: %v", strings.Join(h.Command, " "), err)
		}
	}
	return nil
}

// note tells what people may want to know later, too.
func (r *run) note(format string, args ...any) {
	r.UI.Print(format, args...)
	r.result.Notes = append(r.result.Notes, fmt.Sprintf(format, args...))
}

// hook runs one hook as a step of the log. Around a stage that has a time limit
// each hook has the same.
func (op *operation) hook(ctx context.Context, h config.Hook) error {
	r, limit := op.run, time.Duration(0)
	if op.record.Operation == stageDeploy || op.record.Operation == stageRelease {
		limit = r.allowance(op.hooked.Conduct)
	}
	title := fmt.Sprintf("Hook %s: %s", h.When, strings.Join(h.Command, " "))
	return r.UI.Step(ctx, title, func(ctx context.Context, s component.Step) error {
		return inTime(ctx, limit, op.record.Operation, func(ctx context.Context) error { return r.Hook(ctx, r.app, h, s) })
	})
}

// save writes the record as it is now.
func (op *operation) save(ctx context.Context) error {
	op.run.history = op.run.history.put(op.record)
	if err := op.run.Store.Put(ctx, op.record); err != nil {
		return fmt.Errorf("saving the record of %s: %w", op.record.Operation, err)
	}
	return nil
}

// report tells people outside the job; that they could not be told is a
// warning.
func (r *run) report(ctx context.Context, record state.Record) {
	if r.Reporter == nil {
		return
	}
	if err := r.Reporter.Report(ctx, record); err != nil {
		r.UI.Diagnostics(hcl.Diagnostics{{
			Severity: hcl.DiagWarning,
			Summary:  fmt.Sprintf("The %s of %q could not be reported", record.Operation, record.App),
			Detail:   err.Error(),
		}})
	}
}

// keep stores what a stage made in its record.
func (op *operation) keep(result any) error {
	raw, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("recording the result: %w", err)
	}
	op.record.Result = raw
	return nil
}

// locate makes err point at the operation's use block.
func (op *operation) locate(err error) error {
	if err == nil {
		return nil
	}
	if op.stage == nil {
		return err
	}
	return &located{err, diag.Locate(err, op.stage.Body, op.stage.Range)}
}

// located is an error with the diagnostics that point at its place.
type located struct {
	error
	diags hcl.Diagnostics
}

func (l *located) Unwrap() error { return l.error }

// changing are the stages and verbs that change platforms: all from the moment
// a deploy begins.
var changing = map[string]bool{
	stageDeploy: true, stageRelease: true, stagePrune: true, "rollback": true, "destroy": true, "exec": true,
}

// open configures a component of the operation's stage. The caller calls done
// when the operation ends.
func open[T any](op *operation, spec opener[T], decode component.Decode) (opened T, done func(), err error) {
	host, done, err := op.run.Host(op.run.app, op.plugin, changing[op.run.stage] && !op.run.planning)
	if err != nil {
		return opened, nil, err
	}
	if op.deadline != nil {
		op.deadline.Progress, host.Progress = host.Progress, op.deadline
	}
	opened, diags, err := spec.Open(host, decode)
	if diags.HasErrors() {
		err = errors.Join(diags, err)
	}
	if err != nil {
		done()
		return opened, nil, op.locate(err)
	}
	return opened, done, nil
}

// diagnose returns what to show of an error: diagnostics with their places.
func diagnose(err error) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, e := range unjoin(err) {
		if l, ok := errors.AsType[*located](e); ok {
			diags = append(diags, l.diags...)
			continue
		}
		diags = append(diags, diag.Locate(e, nil, hcl.Range{})...)
	}
	return diags
}

// unjoin returns the errors that errors.Join put together.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// firstLine is an error as a record's message.
func firstLine(err error) string {
	diags := diagnose(err)
	if len(diags) == 0 {
		return err.Error()
	}
	detail, _, _ := strings.Cut(diags[0].Detail, "\n")
	return strings.TrimSuffix(diags[0].Summary+": "+detail, ": ")
}
