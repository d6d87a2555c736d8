package plugintest

import (
	"fmt"

	"github.com/deploy-action/deploy-action/internal/component"
)

// forgedRecords destroys with records that point at the deployment of another
// app, of another workspace, and of another ID, which has to stay.
func forgedRecords(tr *trial) error {
	real, err := tr.deploy(tr.app, newID("web"), 1, tr.world.Artifact)
	if err != nil {
		return err
	}
	forged := map[string]target{
		"another app":       {App: tr.other("api", "default"), ID: real.ID, Sequence: 1, Deployment: real.Deployment},
		"another workspace": {App: tr.other("web", "staging"), ID: real.ID, Sequence: 1, Deployment: real.Deployment},
	}
	if real.Deployment.Generation() == "" { // else its object is that of every ID
		forged["another ID"] = target{App: tr.app, ID: newID("web"), Sequence: 1, Deployment: real.Deployment}
	}
	for whose, t := range forged {
		p, err := open(tr, tr.plugin.Platform.Open)
		if err != nil {
			return err
		}
		// To refuse is as good as to find nothing.
		_ = tr.say(nil, p.Destroy(tr.ctx, t))
		if err := tr.expect(real, component.Ready); err != nil {
			return fmt.Errorf("after destroying by the record of %s: %w", whose, err)
		}
	}
	if err := tr.destroy(real); err != nil {
		return err
	}
	return tr.leave(tr.app)
}
