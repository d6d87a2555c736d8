package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/state"
)

// Records say where to look, and are no authority: whoever can write one could
// make it point at something else. What goes back to a record is held against
// the labels of what runs and against the app's own repository here. What a
// platform destroys or restores it holds against the labels by itself, see
// [component.Platform].

// held asks the platform of a recorded deployment whether that exists and is
// the app's by its labels, and returns it as the platform knows it. A platform
// that cannot be asked believes its record.
func (r *run) held(ctx context.Context, record state.Record) (state.Record, bool, error) {
	if bare(record) {
		return record, false, nil
	}
	platform, done, err := r.platformOf(record)
	if err != nil {
		// What opens no platform must not be in the way of going back.
		r.warn(diagnose(fmt.Errorf("the labels of deployment %s cannot be looked at, so that its record is believed: %w", record.Deployment, err)))
		return record, true, nil
	}
	defer done()
	found, err := platform.Find(ctx, r.app.App)
	if errors.Is(err, errors.ErrUnsupported) {
		return record, true, nil
	}
	if err != nil {
		return record, false, fmt.Errorf("looking for deployment %s: %w", record.Deployment, err)
	}
	for _, target := range found {
		if target.ID == record.Deployment && target.Deployment != nil {
			op := operation{record: record}
			err := op.keep(target.Deployment)
			return op.record, true, err
		}
	}
	return record, false, nil
}

// confirmed is held for verbs that have nothing to put in the place of a
// deployment that is not there.
func (r *run) confirmed(ctx context.Context, record state.Record) (state.Record, error) {
	found, ok, err := r.held(ctx, record)
	if err != nil || ok {
		return found, err
	}
	return record, invalid(fmt.Sprintf("Deployment %d of app %q is not on its platform", record.Sequence, r.app.Name), fmt.Sprintf(
		"The platform %q has no deployment %s with the labels of this app in workspace %q. Deploy again, or bring it back with `rollback --deployment %d`.",
		record.Plugin, record.Deployment, r.Workspace, record.Sequence))
}

// ownImage refuses to deploy the image of a deployment again that is not in the
// repository to which the file pushes the app. Where the file names none, an
// image is believed that a record of a run tells of, and none that only a
// Deployment on GitHub does: those can be made up more easily.
func (r *run) ownImage(ctx context.Context, deployment string) error {
	image, ok := r.artifact.(artifact.Image)
	if !ok || r.embedded {
		return nil
	}
	own, err := r.repository(ctx)
	if err != nil {
		return err
	}
	record, _ := r.history.find(stageDeploy, deployment)
	what := fmt.Sprintf("Deployment %d of app %q is not made again", record.Sequence, r.app.Name)
	switch {
	case own != nil && own.Name == image.Repository:
		return nil
	case own != nil:
		return invalid(what, fmt.Sprintf(
			"Its record names an image of the repository %q, and this app's own is %q. An image is rolled back to only from there: records can be forged. "+
				"If the app has moved, name the former repository in the registry block and run this again.", image.Repository, own.Name))
	case state.Rebuilt(record):
		return invalid(what, fmt.Sprintf(
			"Its record was lost. A Deployment on GitHub names the image %s, and nothing says that %q is this app's own repository. "+
				"Name it in a registry block, or deploy with `up`.", image.Reference(), image.Repository))
	}
	return nil
}

// destroyLost takes a release away whose record was lost. Where it cannot be
// learned what that made, it is told what may be left, and all else goes on:
// nobody will know more.
func (r *run) destroyLost(ctx context.Context, lost state.Record) {
	err := r.equipLost(ctx, lost)
	if err == nil && r.releaser != nil {
		err = r.UI.Step(ctx, fmt.Sprintf("Destroying release %d", lost.Sequence), func(ctx context.Context, _ component.Step) error {
			return r.releaseAndDestroy(ctx)
		})
	}
	if err != nil {
		r.note("The record of the release of deployment %s was lost. What the release made, such as a rule of a load balancer, may be left: %s",
			lost.Deployment, firstLine(err))
	}
}

// equipLost chooses what released the deployment of a release whose record was
// lost: what would release it today.
func (r *run) equipLost(ctx context.Context, lost state.Record) error {
	record, ok := r.history.find(stageDeploy, lost.Deployment)
	if !ok || record.Status != state.Succeeded {
		return errors.New("its deployment is gone")
	}
	record, err := r.confirmed(ctx, record)
	if err != nil {
		return err
	}
	if err := r.takeDeployment(record); err != nil {
		return err
	}
	r.atOnce = true
	return r.equip(ctx, record, false)
}

// releaseAndDestroy releases what serves once more, which changes nothing but
// tells what a release is, and takes that away.
func (r *run) releaseAndDestroy(ctx context.Context) error {
	stage, decode := r.releaserConfig(r.scope)
	releaser, done, err := open(&operation{run: r, plugin: r.plugins[stageRelease], stage: stage}, r.releaser, decode)
	if err != nil {
		return err
	}
	defer done()
	made, err := releaser.Release(ctx, component.ReleaseRequest[component.Deployment]{Target: r.target, Percent: 100})
	if err != nil || made == nil {
		return err
	}
	return releaser.Destroy(ctx, r.app.App, made)
}
