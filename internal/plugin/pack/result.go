package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/buildpacks/pack/pkg/client"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// takeOut copies an image from the engine into a layout of the app's own. Its ID
// stays, so that the engine is known to have it.
func (b *builder) takeOut(ctx context.Context, req component.BuildRequest, e *engine, image string) (made artifact.Image, id string, err error) {
	layout, err := oci.OpenLayout(filepath.Join(b.host.CacheDir, "images", "project-"+req.App.Project, "app-"+req.App.Name))
	if err != nil {
		return artifact.Image{}, "", err
	}
	if to := req.Repository; to != nil && to.Tag != "" {
		registries := oci.Client{HTTP: b.host.HTTP, Credentials: b.credentials()}
		layout.Ask(func(ctx context.Context) []oci.Layer {
			// Where there is no such image yet, or it cannot be read, none is known.
			layers, _ := registries.Layers(ctx, artifact.Image{Repository: to.Name, Tag: to.Tag}, *to, b.cfg.Platform)
			return layers
		})
	}
	err = b.host.Progress.Step(ctx, "Taking the image out of the Docker engine", func(ctx context.Context, _ component.Step) error {
		archive := filepath.Join(b.host.TempDir, "image.tar")
		defer os.Remove(archive) // else it goes with its folder
		if err := e.save(ctx, image, archive); err != nil {
			return err
		}
		content, err := tarball.ImageFromPath(archive, nil)
		if err != nil {
			return fmt.Errorf("reading what the Docker engine saved: %w", err)
		}
		name, err := content.ConfigName()
		if err != nil {
			return fmt.Errorf("reading what the Docker engine saved: %w", err)
		}
		config, err := content.ConfigFile()
		if err != nil {
			return fmt.Errorf("reading what the Docker engine saved: %w", err)
		}
		digest, err := layout.Import(ctx, content)
		id = name.String()
		made = artifact.Image{
			Repository: component.Label(req.App.Name, 60), Digest: digest, Layout: layout.Dir(), Architecture: config.Architecture,
		}
		return err
	})
	return made, id, err
}

// save writes an image of the engine to a file, in the form of docker save.
func (e *engine) save(ctx context.Context, image, path string) error {
	content, err := e.ImageSave(ctx, []string{image})
	if err != nil {
		return fmt.Errorf("saving the image: %w", err)
	}
	defer content.Close()
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("saving the image: %w", err)
	}
	defer file.Close() // again, where copying fails
	if _, err := io.Copy(file, content); err != nil {
		return fmt.Errorf("saving the image: %w", err)
	}
	return file.Close()
}

// describe tells what buildpacks made an image, in Waypoint's words.
func describe(packer *client.Client, image, id string, label func(key, value string)) error {
	if label == nil {
		return nil
	}
	info, err := packer.InspectImage(image, true)
	if err != nil {
		return fmt.Errorf("reading what the buildpacks say of the image: %w", err)
	}
	if info == nil {
		return errors.New("reading what the buildpacks say of the image: the Docker engine no longer has it")
	}
	for key, value := range labels(info, id) {
		label(key, value)
	}
	return nil
}

// longestLabel is the most that the value of a label may have.
const longestLabel = 255

// labels returns the labels of an image. What is not known has none.
func labels(info *client.ImageInfo, id string) map[string]string {
	var languages []string
	for _, buildpack := range info.Buildpacks {
		if buildpack.ID != "heroku/procfile" {
			languages = append(languages, path.Base(buildpack.ID)) // without its maker's name
		}
	}
	all := map[string]string{
		"common/languages":       strings.Join(languages, ","),
		"common/buildpack-stack": info.StackID,
		"common/image-id":        id,
	}
	process := info.Processes.DefaultProcess
	if process == nil && len(info.Processes.OtherProcesses) > 0 {
		process = &info.Processes.OtherProcesses[0]
	}
	if process != nil {
		command := append(append([]string{}, process.Command.Entries...), process.Args...)
		all["common/command"] = strings.Join(command, " ")
		all["common/command-type"] = process.Type
	}
	for key, value := range all {
		all[key] = strings.ToValidUTF8(value[:min(longestLabel, len(value))], "")
	}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}
