package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// registry keeps copies of folders by their content.
type registry struct {
	host component.Host
	path string
}

var _ component.Registry[artifact.Files] = (*registry)(nil)

func openRegistry(h component.Host, c RegistryConfig) (component.Registry[artifact.Files], error) {
	if c.Path == "" {
		return nil, &diag.Problem{
			Summary: "No folder to copy to",
			Detail:  "The path is empty. It must name the folder that keeps the copies.",
			Attr:    "path",
		}
	}
	if !filepath.IsAbs(c.Path) && !filepath.IsLocal(c.Path) {
		return nil, &diag.Problem{
			Summary: "Folder outside of the app",
			Detail: fmt.Sprintf("The path %q leads out of the app's folder. Stay inside, or say which folder "+
				"you mean with an absolute path, such as \"${path.project}/dist\".", c.Path),
			Attr: "path",
		}
	}
	return &registry{host: h, path: c.Path}, nil
}

// Plan implements [component.Registry]. It reads the whole folder, since only
// the content says where the copy goes.
func (g *registry) Plan(ctx context.Context, req component.PushRequest[artifact.Files]) (artifact.Files, component.Plan, error) {
	stored, exists, err := g.look(ctx, req)
	if err != nil {
		return artifact.Files{}, component.Plan{}, err
	}
	change := component.Change{Action: component.Create, Subject: "folder/" + stored}
	if exists {
		change.Action, change.Reason = component.Keep, "the same content is there already"
	}
	return artifact.Files{Path: stored}, component.Plan{Changes: []component.Change{change}}, nil
}

// Push implements [component.Registry]. A copy appears under its name only
// when it is complete.
func (g *registry) Push(ctx context.Context, req component.PushRequest[artifact.Files]) (artifact.Files, error) {
	var stored string
	err := g.host.Progress.Step(ctx, "Copying files", func(ctx context.Context, step component.Step) error {
		place, exists, err := g.look(ctx, req)
		if err != nil {
			return err
		}
		stored = place
		if exists {
			step.Update("the same content is there already")
			return nil
		}
		stored, err = g.copy(ctx, req)
		return err
	})
	if err != nil {
		return artifact.Files{}, err
	}
	return artifact.Files{Path: stored}, nil
}

// Repository implements [component.Registry]: there is none to pull from.
func (g *registry) Repository(context.Context, component.App) (*artifact.Repository, error) {
	return nil, nil
}

// look returns where the content of the artifact goes, and whether it is there.
func (g *registry) look(ctx context.Context, req component.PushRequest[artifact.Files]) (place string, exists bool, err error) {
	source, err := g.open(req)
	if err != nil {
		return "", false, err
	}
	defer source.close()
	digest, err := source.walk(ctx, nil)
	if err != nil {
		return "", false, fmt.Errorf("reading %q: %w", req.Artifact.Path, err)
	}
	place = filepath.Join(g.folder(req.App), digest)
	_, err = os.Stat(place)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, fmt.Errorf("looking for an earlier copy: %w", err)
	}
	return place, err == nil, nil
}

// copy copies the artifact to a temporary folder beside its place and renames
// it there. It returns the place, which another content has than look saw when
// the files changed in between.
func (g *registry) copy(ctx context.Context, req component.PushRequest[artifact.Files]) (string, error) {
	source, err := g.open(req)
	if err != nil {
		return "", err
	}
	defer source.close()
	folder := g.folder(req.App)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", unwritable(folder, err)
	}
	temp, err := os.MkdirTemp(folder, ".incomplete-")
	if err != nil {
		return "", unwritable(folder, err)
	}
	defer os.RemoveAll(temp)
	target, err := os.OpenRoot(temp)
	if err != nil {
		return "", unwritable(temp, err)
	}
	defer target.Close()
	digest, err := source.walk(ctx, target)
	if err != nil {
		return "", fmt.Errorf("copying %q to %q: %w", req.Artifact.Path, folder, err)
	}
	if err := os.Chmod(temp, 0o755); err != nil { // from the 0700 of a temporary folder
		return "", unwritable(temp, err)
	}
	place := filepath.Join(folder, digest)
	// Someone else may have put the same content there meanwhile: as good.
	if err := os.Rename(temp, place); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", unwritable(place, err)
	}
	return place, nil
}

// open opens the artifact's folder for reading.
func (g *registry) open(req component.PushRequest[artifact.Files]) (*tree, error) {
	return openTree(req.Artifact.Path, g.base(req.App))
}

// base returns the folder that keeps the copies of every app.
func (g *registry) base(app component.App) string {
	if filepath.IsAbs(g.path) {
		return filepath.Clean(g.path)
	}
	return filepath.Join(app.Path, g.path)
}

// folder returns the folder that keeps the copies of app.
func (g *registry) folder(app component.App) string { return filepath.Join(g.base(app), app.Name) }

func unwritable(path string, err error) error {
	return &diag.Problem{
		Summary: "Files cannot be copied",
		Detail:  fmt.Sprintf("Writing to %q went wrong. Make the folder writable, free some space, or choose another path.", path),
		Attr:    "path",
		Err:     err,
	}
}
