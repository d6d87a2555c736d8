package exec

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// Deployment is one run of the command.
type Deployment struct {
	ID string `json:"id"` // as the command saw it
}

// Vars implements [component.Deployment].
func (Deployment) Vars() map[string]cty.Value { return map[string]cty.Value{} }

// URL implements [component.Deployment]: only the command knows.
func (Deployment) URL() string { return "" }

// Generation implements [component.Deployment]: each run is its own.
func (Deployment) Generation() string { return "" }

// platform accepts every artifact and hands it to the command.
type platform struct {
	component.Unsupported[Deployment]

	host component.Host
	cfg  PlatformConfig
}

var _ component.Platform[artifact.Artifact, Deployment] = (*platform)(nil)

func openPlatform(h component.Host, c PlatformConfig) (component.Platform[artifact.Artifact, Deployment], error) {
	if c.Image != "" {
		if _, err := oci.ParseReference(c.Image); err != nil {
			if problem, ok := errors.AsType[*diag.Problem](err); ok {
				problem.Attr = "image"
			}
			return nil, err
		}
	}
	return &platform{host: h, cfg: c}, nil
}

// Plan implements [component.Platform]. It runs nothing, but looks the command
// up and renders its templates, so that what can be wrong is found here.
func (p *platform) Plan(ctx context.Context, req component.DeployRequest[artifact.Artifact]) (component.Plan, error) {
	cmd, err := p.prepare(ctx, req)
	if err != nil {
		return component.Plan{}, err
	}
	return component.Plan{Changes: []component.Change{{
		Action:  component.Create,
		Subject: "command/" + filepath.Base(cmd.path),
		Reason:  "what it changes is known to the command only",
	}}}, nil
}

// Deploy implements [component.Platform].
func (p *platform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Artifact]) (Deployment, error) {
	cmd, err := p.prepare(ctx, req)
	if err != nil {
		return Deployment{}, err
	}
	err = p.host.Progress.Step(ctx, "Running "+filepath.Base(cmd.path), func(ctx context.Context, step component.Step) error {
		if p.cfg.Image != "" {
			return p.runInImage(ctx, cmd, step.Output())
		}
		return cmd.run(ctx, p.host.Environ(), step.Output())
	})
	// However it ended, the command may have made something.
	return Deployment{ID: req.ID}, err
}

// prepare does everything for a deploy but running the command. Its only
// effect is the rendered template in the temporary folder.
func (p *platform) prepare(ctx context.Context, req component.DeployRequest[artifact.Artifact]) (command, error) {
	if err := context.Cause(ctx); err != nil {
		return command{}, err
	}
	if len(req.Files) > 0 {
		return command{}, &diag.Problem{
			Summary: "Configuration files cannot be delivered",
			Detail: "The app's config block has files, and \"exec\" has no place to put them. " +
				"Render them with a template block, or pass the values as variables.",
		}
	}
	dir := inFolder(req.App.Path, p.cfg.Dir)
	data := newData(req)
	rendered := ""
	if p.cfg.Template != nil {
		var err error
		if rendered, err = data.renderTree(inFolder(req.App.Path, p.cfg.Template.Path), p.host.TempDir); err != nil {
			return command{}, err
		}
	}
	argv, err := data.renderCommand(p.cfg.Command, rendered)
	if err != nil {
		return command{}, err
	}
	if p.cfg.Image != "" {
		return command{path: argv[0], argv: argv, dir: dir}, nil // the image has it, or not
	}
	path, err := lookPath(argv[0], dir, p.host.Environ())
	if err != nil {
		return command{}, err
	}
	return command{path: path, argv: argv, dir: dir}, nil
}

// inFolder makes path absolute: a relative one starts at folder.
func inFolder(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// Status implements [component.Platform]: only the command's own tool knows.
func (p *platform) Status(ctx context.Context, _ component.Target[Deployment]) (component.Health, error) {
	return component.Health{
		State:   component.Unknown,
		Message: "deployed by a command, which cannot be asked",
	}, context.Cause(ctx)
}

// Destroy implements [component.Platform]. There is no command for it, so it
// only says that whatever was made is still there.
func (p *platform) Destroy(ctx context.Context, t component.Target[Deployment]) error {
	return p.host.Progress.Step(ctx, "Leaving what the command made", func(ctx context.Context, step component.Step) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintf(step.Output(), "%q was deployed by a command; \"exec\" cannot remove what it made.\n", t.ID)
		return err
	})
}
