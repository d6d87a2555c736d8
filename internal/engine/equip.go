package engine

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/state"
)

// ready checks what a release of the recorded deployments of this app needs of
// the file, before anything is touched: its hooks, and, where the file is asked
// for, that the app has no problem.
func (r *run) ready(byFile bool) error {
	var diags hcl.Diagnostics
	if byFile {
		diags = append(diags, r.problems...)
	} else {
		r.warn(r.problems)
	}
	if s := r.app.Release; s != nil {
		diags = append(diags, r.checkHooks(s)...)
		if byFile && s.Plugin != "" && r.releaser == nil {
			_, problem := r.plugin(s, "a releaser", func(p component.Plugin) bool { return p.Releaser != nil })
			diags = append(diags, problem)
		}
	}
	if diags.HasErrors() {
		return &InvalidError{diags}
	}
	return nil
}

// equip chooses what releases the target, which record made: the file's
// releaser, for its configuration is of today, or else that of the records.
// With byFile, a block of the file that cannot be read is a problem; else it is
// a warning, where a record can stand in.
func (r *run) equip(ctx context.Context, record state.Record, byFile bool) error {
	plugin, err := r.platformPlugin(record)
	if err != nil {
		return err
	}
	if stage := r.fileReleases(plugin); stage != "" {
		err = r.readable(ctx, stage, func() error {
			block, decode := r.releaserConfig(r.scope)
			return opens(r, r.releaser, r.plugins[stageRelease], block, decode)
		})
		if err == nil {
			return r.releasable(ctx)
		}
		if byFile {
			return &InvalidError{diagnose(err)}
		}
	}
	found := r.recordReleases(record, plugin)
	if err != nil && !found {
		return &InvalidError{diagnose(err)}
	}
	r.warn(diagnose(err))
	return r.releasable(ctx)
}

// releasable makes sure that the release that is equipped can be done: with its
// hooks, and in steps where it goes in steps.
func (r *run) releasable(ctx context.Context) error {
	if err := r.readyHooks(ctx, stageRelease, r.app.Release); err != nil || r.atOnce {
		return err
	}
	return r.checkShares(ctx, r.pipeline, r.scope)
}

// readyHooks asks sources for what the hooks of a stage refer to. It asks only
// where they cannot be read without.
func (r *run) readyHooks(ctx context.Context, stage string, s *config.Stage) error {
	if s == nil {
		return nil
	}
	if _, diags := s.Hooks(r.scope); !diags.HasErrors() {
		return nil
	}
	return r.learn(ctx, stage)
}

// fileReleases returns the stage of the file whose block configures a releaser
// for deployments of a platform; "" where there is none.
func (r *run) fileReleases(platform component.Plugin) string {
	switch {
	case r.releaser == nil:
	case r.shared && r.plugins[stageRelease].Name == platform.Name:
		return stageDeploy
	case !r.shared && component.Chain(nil, nil, platform.Platform, r.releaser) == nil:
		return stageRelease
	}
	return ""
}

// readable reports why the file's block of a stage cannot be opened. It asks
// sources only where that fails without.
func (r *run) readable(ctx context.Context, stage string, opens func() error) error {
	err := opens()
	if err == nil || len(r.requests([]string{r.app.Name}, []string{stage})) == 0 {
		return err
	}
	if err := r.learn(ctx, stage); err != nil {
		return err
	}
	return opens()
}

// opens reports why a component cannot be opened.
func opens[T any](r *run, spec opener[T], plugin component.Plugin, block *config.Stage, decode component.Decode) error {
	_, done, err := open(&operation{run: r, plugin: plugin, stage: block}, spec, decode)
	if err == nil {
		done()
	}
	return err
}

// recordReleases makes the releaser of the records that of the run: the one
// that released this deployment, or else the latest that can, or else the
// platform's default one. It reports whether there is any; without, the record
// alone says what is released.
func (r *run) recordReleases(record state.Record, platform component.Plugin) bool {
	r.plugins[stageDeploy] = platform
	r.releaser, r.shared = nil, false
	take := func(plugin component.Plugin, recorded state.Record) bool {
		r.releaser, r.plugins[stageRelease] = plugin.Releaser, plugin
		r.fromRecord = config.Recorded(recorded.Plugin, recorded.Config)
		return true
	}
	for _, mine := range []bool{true, false} {
		for _, release := range r.history {
			plugin := r.Plugins[release.Plugin]
			if release.Operation != stageRelease || len(release.Config) == 0 || plugin.Releaser == nil ||
				mine != (release.Deployment == record.Deployment) ||
				component.Chain(nil, nil, platform.Platform, plugin.Releaser) != nil {
				continue
			}
			return take(plugin, release)
		}
	}
	if platform.DefaultRelease && platform.Releaser != nil {
		return take(platform, record)
	}
	return false
}

// equipDeploy chooses what makes a recorded deployment again: the file's block
// of its platform, or else the recorded one.
func (r *run) equipDeploy(ctx context.Context, record state.Record) error {
	plugin, err := r.platformPlugin(record)
	if err != nil {
		return err
	}
	if r.app.Deploy != nil && r.app.Deploy.Plugin == record.Plugin {
		err := r.readable(ctx, stageDeploy, func() error { return opens(r, plugin.Platform, plugin, r.app.Deploy, r.app.Deploy.Decode(r.scope)) })
		if err == nil {
			return r.readyHooks(ctx, stageDeploy, r.app.Deploy)
		}
		r.warn(diagnose(err))
	}
	if len(record.Config) == 0 {
		return invalid(fmt.Sprintf("Deployment %d of app %q cannot be made again", record.Sequence, r.app.Name),
			"Neither the file nor its record says how it was configured.")
	}
	r.app.Deploy = config.Recorded(record.Plugin, record.Config)
	r.platform, r.plugins[stageDeploy] = plugin.Platform, plugin
	return nil
}

// settle asks sources for what a deployment is given, for the one of that
// sequence, which is made again. It needs the file's settings and the secrets of
// its block: no record holds them.
func (r *run) settle(ctx context.Context, sequence int) error {
	if r.problems.HasErrors() {
		return &InvalidError{r.problems}
	}
	if withheld := r.app.Deploy.Withheld(); len(withheld) > 0 {
		return invalid(fmt.Sprintf("Deployment %d of app %q cannot be made again as it was", sequence, r.app.Name), fmt.Sprintf(
			"The file has no block that can be read to configure it, and its record holds no secrets: it would lack %s. "+
				"Put the deploy block with use %q back into the file, or mend it. `rollback --list` shows the deployments that still exist.",
			list(withheld, ""), r.app.Deploy.Plugin))
	}
	if r.missing {
		r.warn(hcl.Diagnostics{{
			Summary: fmt.Sprintf("App %q is deployed again without settings", r.app.Name),
			Detail:  "Its config block is gone from the file with the app, and no record holds what it delivered.",
		}})
	}
	return r.learn(ctx, stageDeploy, stagePush, config.Settings)
}
