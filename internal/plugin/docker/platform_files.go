package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/component"
)

// copyFiles puts the app's configuration files into a container that has not
// started yet. Relative paths begin at its working folder.
func (p *platform) copyFiles(ctx context.Context, id string, files map[string]component.Setting) error {
	c, err := p.inspect(ctx, id)
	if err != nil {
		return err
	}
	if c == nil {
		return fmt.Errorf("copying files to container %q: it is gone", id)
	}
	archive, err := archiveOf(files, c.Config.WorkingDir)
	if err != nil {
		return fmt.Errorf("packing the app's files: %w", err)
	}
	_, err = p.engine.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: "/", Content: archive})
	return p.engine.explain(ctx, "copying the app's files to the container", err)
}

// archiveOf packs files for the root folder of a container. Anyone in the
// container may read them, since the app need not run as root.
func archiveOf(files map[string]component.Setting, workingFolder string) (*bytes.Buffer, error) {
	archive := &bytes.Buffer{}
	writer := tar.NewWriter(archive)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		target := name
		if !path.IsAbs(name) {
			target = path.Join("/", workingFolder, name)
		}
		content := []byte(files[name].Text.Reveal())
		header := &tar.Header{Name: path.Clean(target)[1:], Mode: 0o644, Size: int64(len(content))}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(content); err != nil {
			return nil, err
		}
	}
	return archive, writer.Close()
}
