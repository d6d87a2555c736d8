package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
)

// restores deploys twice and puts the first content back.
func restores(tr *trial) error {
	another := tr.world.Another
	if another == nil {
		another = tr.world.Artifact
	}
	first, err := tr.deploy(tr.app, newID("web"), 1, tr.world.Artifact)
	if err != nil {
		return err
	}
	serving := func(d component.Deployment) string {
		if tr.world.Serving == nil {
			return ""
		}
		return tr.world.Serving(d)
	}
	want := serving(first.Deployment)
	if _, err := tr.deploy(tr.app, newID("web"), 2, another); err != nil {
		return err
	}
	id := newID("web")
	for range 2 {
		p, err := open(tr, tr.plugin.Platform.Open)
		if err != nil {
			return err
		}
		d, err := p.Restore(tr.ctx, component.RestoreRequest[component.Deployment]{DeployInput: tr.input(tr.app, id, 3), From: first})
		if unsupported(tr.say(d, err)) {
			tr.t.Log("unsupported: Restore; the engine deploys the recorded artifact again")
			return nil
		}
		if err != nil || d == nil {
			return fmt.Errorf("restoring returned %v: %w", d, err)
		}
		restored, err := tr.recorded(target{App: tr.app, ID: id, Sequence: 3, Deployment: d})
		if err != nil {
			return err
		}
		if err := errors.Join(tr.expect(restored, component.Ready), tr.expectFound(tr.app, id)); err != nil {
			return fmt.Errorf("after restoring: %w", err)
		}
		if got := serving(d); got != want {
			return fmt.Errorf("the restored deployment serves %q, want %q", got, want)
		}
	}
	return nil
}

// logs reads all lines, the last one, and those that are still to come.
func logs(tr *trial) error {
	t, err := tr.deploy(tr.app, newID("web"), 1, tr.world.Artifact)
	if err != nil {
		return err
	}
	read := func(ctx context.Context, req component.LogRequest) (lines []component.LogLine, err error) {
		p, err := open(tr, tr.plugin.Platform.Open)
		if err != nil {
			return nil, err
		}
		for line, err := range p.Logs(ctx, t, req) {
			if err != nil {
				return lines, err
			}
			tr.seen.note("%s", line.Text)
			lines = append(lines, line)
		}
		return lines, nil
	}
	all, err := read(tr.ctx, component.LogRequest{})
	if unsupported(err) {
		tr.t.Log("unsupported: Logs")
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading logs: %w", err)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Time.Before(all[i-1].Time) {
			return fmt.Errorf("the log line %q comes after a later one", all[i].Text)
		}
	}
	last, err := read(tr.ctx, component.LogRequest{Tail: 1})
	if err != nil {
		return fmt.Errorf("reading the last line: %w", err)
	}
	count := map[string]int{}
	for _, line := range last {
		if count[line.Instance]++; line.Instance != "" && count[line.Instance] > 1 {
			return fmt.Errorf("asking for the last line yields more than one line of instance %q", line.Instance)
		}
	}
	ctx, cancel := context.WithTimeout(tr.ctx, time.Second)
	defer cancel()
	if _, err := read(ctx, component.LogRequest{Follow: true}); err != nil && ctx.Err() == nil {
		return fmt.Errorf("following: %w", err)
	}
	if ctx.Err() == nil {
		return errors.New("following logs ends before its context does")
	}
	return nil
}

// executes runs the world's command.
func executes(tr *trial) error {
	t, err := tr.deploy(tr.app, newID("web"), 1, tr.world.Artifact)
	if err != nil {
		return err
	}
	p, err := open(tr, tr.plugin.Platform.Open)
	if err != nil {
		return err
	}
	request := component.ExecRequest{Command: tr.world.Command, Stdout: io.Discard, Stderr: io.Discard}
	if len(request.Command) == 0 {
		request.Command = []string{"true"}
	}
	status, err := p.Exec(tr.ctx, t, request)
	if unsupported(tr.say(nil, err)) {
		tr.t.Log("unsupported: Exec")
		return nil
	}
	if len(tr.world.Command) == 0 {
		return errors.New("the platform supports Exec: World.Command must name a command to try")
	}
	if err != nil || status != 0 {
		return fmt.Errorf("running %q ends with status %d: %w", request.Command, status, err)
	}
	return nil
}

// missing asks for a deployment that was never made, and removes it.
func missing(tr *trial) error {
	t, err := tr.deploy(tr.app, newID("web"), 1, tr.world.Artifact)
	if err != nil {
		return err
	}
	if err := tr.destroy(t); err != nil {
		return err
	}
	if err := tr.leave(tr.app); err != nil {
		return err
	}
	if err := tr.expect(t, component.Missing); err != nil {
		return err
	}
	// Records of runs that died hold no deployment at all.
	t.Deployment = nil
	return errors.Join(tr.expect(t, component.Missing), tr.destroy(t), tr.leave(tr.app))
}

// destroysRecorded opens the platform with the configuration that a record
// keeps, which has no secrets, and destroys with it.
func destroysRecorded(tr *trial) error {
	spec := tr.plugin.Platform
	if spec.Config() == nil {
		return nil // known only when it runs
	}
	t, err := tr.deploy(tr.app, newID("web"), 1, tr.world.Artifact)
	if err != nil {
		return err
	}
	decode, err := tr.use.recorded(spec.Config())
	if err != nil {
		return err
	}
	p, err := problems(spec.Open(tr.operationHost(), decode))
	if err != nil {
		return fmt.Errorf("opening the platform with its recorded configuration: %w", err)
	}
	if err := tr.say(nil, p.Destroy(tr.ctx, t)); err != nil {
		return fmt.Errorf("destroying with the recorded configuration: %w", err)
	}
	return tr.leave(tr.app)
}
