package files

import (
	"context"
	"fmt"
	"os"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// builder returns the app's folder.
type builder struct{}

var _ component.Builder[artifact.Files] = builder{}

func openBuilder(component.Host, BuilderConfig) (component.Builder[artifact.Files], error) {
	return builder{}, nil
}

// Build implements [component.Builder].
func (builder) Build(ctx context.Context, req component.BuildRequest) (artifact.Files, error) {
	if err := context.Cause(ctx); err != nil {
		return artifact.Files{}, err
	}
	info, err := os.Stat(req.App.Path)
	if err != nil {
		return artifact.Files{}, fmt.Errorf("looking for the app's folder: %w", err)
	}
	if !info.IsDir() {
		return artifact.Files{}, fmt.Errorf("the app's path %q is no folder", req.App.Path)
	}
	return artifact.Files{Path: req.App.Path}, nil
}
