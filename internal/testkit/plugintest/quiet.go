package plugintest

import (
	"context"
	"io"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Quiet is progress that nobody watches.
type Quiet struct{}

// Step implements [component.Progress].
func (Quiet) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, Quiet{})
}

// Update implements [component.Step].
func (Quiet) Update(string, ...any) {}

// Output implements [component.Step].
func (Quiet) Output() io.Writer { return io.Discard }
