package plugintest

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// platformPlans plans before and after a deploy.
func platformPlans(tr *trial) error {
	id := newID("web")
	plan := func() (component.Plan, error) {
		tr.calls.written()
		p, err := open(tr, tr.plugin.Platform.Open)
		if err != nil {
			return component.Plan{}, err
		}
		made, err := p.Plan(tr.ctx, component.DeployRequest[artifact.Artifact]{
			Artifact: tr.world.Artifact, DeployInput: tr.input(tr.app, id, 2),
		})
		if tr.say(made, err) != nil {
			return made, fmt.Errorf("planning: %w", err)
		}
		if writes := tr.calls.written(); len(writes) > 0 {
			return made, fmt.Errorf("a plan sends requests that change something: %q", writes)
		}
		return made, checkPlan(made)
	}
	first, err := plan()
	if err != nil {
		return err
	}
	if len(first.Changes) == 0 {
		return errors.New("the plan of a first deploy is empty")
	}
	if second, err := plan(); err != nil || !reflect.DeepEqual(first, second) {
		return fmt.Errorf("two plans of one thing differ: %v, %v (%w)", first, second, err)
	}
	if err := tr.expectNothing(); err != nil {
		return fmt.Errorf("after a plan: %w", err)
	}
	if _, err := tr.deploy(tr.app, newID("web"), 1, tr.world.Artifact); err != nil {
		return err
	}
	_, err = plan()
	return err
}

// deploysTwice gives two attempts the same ID.
func deploysTwice(tr *trial) error {
	id := newID("web")
	first, err := tr.deploy(tr.app, id, 1, tr.world.Artifact)
	if err != nil {
		return err
	}
	var before []string
	if tr.world.Exists != nil {
		before = tr.world.Exists()
	}
	second, err := tr.deploy(tr.app, id, 1, tr.world.Artifact)
	if err != nil {
		return fmt.Errorf("again: %w", err)
	}
	if !sameDeployment(first.Deployment, second.Deployment) {
		return errors.New("the same ID gives another deployment the second time")
	}
	if tr.world.Exists != nil && len(tr.world.Exists()) != len(before) {
		return fmt.Errorf("the second attempt of one deployment leaves %q, where the first left %q", tr.world.Exists(), before)
	}
	if err := tr.expectFound(tr.app, id); err != nil {
		return err
	}
	for range 2 {
		if err := tr.destroy(second); err != nil {
			return err
		}
	}
	if err := tr.expect(second, component.Missing); err != nil {
		return err
	}
	return tr.leave(tr.app)
}

// deploysNext makes a second deployment of an app: beside the first one, or in
// its place.
func deploysNext(tr *trial) error {
	first, err := tr.deploy(tr.app, newID("web"), 1, tr.world.Artifact)
	if err != nil {
		return err
	}
	second, err := tr.deploy(tr.app, newID("web"), 2, tr.world.Artifact)
	if err != nil {
		return err
	}
	before, after := first.Deployment.Generation(), second.Deployment.Generation()
	if before != after {
		return fmt.Errorf("deployments of one app have the generations %q and %q", before, after)
	}
	if after != "" {
		tr.t.Logf("deploys in place: %s", after)
		if err := tr.expectFound(tr.app, second.ID); err != nil {
			return err
		}
	} else {
		if err := errors.Join(tr.expect(first, component.Ready), tr.expectFound(tr.app, second.ID, first.ID)); err != nil {
			return fmt.Errorf("beside a second deployment: %w", err)
		}
		if err := tr.destroy(first); err != nil {
			return err
		}
		if err := errors.Join(tr.expect(second, component.Ready), tr.expectFound(tr.app, second.ID)); err != nil {
			return fmt.Errorf("after the first deployment was destroyed: %w", err)
		}
	}
	if err := tr.destroy(second); err != nil {
		return err
	}
	return tr.leave(tr.app)
}

// findsOwn deploys several apps and checks that each is shown its own, and
// that what two apps have is not shared between them.
func findsOwn(tr *trial) error {
	if _, err := tr.find(tr.app); unsupported(err) {
		tr.t.Log("unsupported: Find")
		return nil
	}
	apps := []component.App{tr.app, tr.other("api", "default"), tr.other("web", "staging")}
	targets := make([]target, len(apps))
	for i, app := range apps {
		var err error
		if targets[i], err = tr.deploy(app, newID(app.Name), 7, tr.world.Artifact); err != nil {
			return err
		}
	}
	for i, app := range apps {
		if err := tr.expectFound(app, targets[i].ID); err != nil {
			return err
		}
		found, err := tr.find(app)
		if err != nil {
			return err
		}
		if found[0].Sequence != 7 {
			return fmt.Errorf("find says sequence %d, want 7", found[0].Sequence)
		}
		// What Find returned must do for a destroy without a record.
		if err := tr.destroy(found[0]); err != nil {
			return err
		}
		if err := tr.leaveBeside(app, targets[i+1:]); err != nil {
			return err
		}
	}
	return tr.leave(apps...)
}

// leaveBeside removes what one app shares and checks that others still serve.
func (tr *trial) leaveBeside(app component.App, others []target) error {
	p, err := open(tr, tr.plugin.Platform.Open)
	if err != nil {
		return err
	}
	if err := tr.say(nil, p.DestroyShared(tr.ctx, app)); err != nil && !unsupported(err) {
		return err
	}
	for _, t := range others {
		if err := tr.expect(t, component.Ready); err != nil {
			return fmt.Errorf("%s in %s, after %s in %s was destroyed: %w", t.App.Name, t.App.Workspace, app.Name, app.Workspace, err)
		}
	}
	return nil
}
