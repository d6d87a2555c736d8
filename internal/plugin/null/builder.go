package null

import (
	"context"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// builder makes nothing.
type builder struct{}

var _ component.Builder[artifact.None] = builder{}

func openBuilder(component.Host, BuilderConfig) (component.Builder[artifact.None], error) {
	return builder{}, nil
}

// Build implements [component.Builder].
func (builder) Build(ctx context.Context, _ component.BuildRequest) (artifact.None, error) {
	return artifact.None{}, context.Cause(ctx)
}
