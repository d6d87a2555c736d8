package engine

import (
	"context"

	"github.com/deploy-action/deploy-action/internal/config"
)

// Settings evaluates the chosen apps with everything that dynamic() asks for:
// what they would be given, without giving it to anybody.
func (e *Engine) Settings(ctx context.Context, o Options) ([]*config.App, error) {
	names, err := e.names(o.Apps)
	if err != nil {
		return nil, err
	}
	pipelines, err := e.resolved(ctx, names, config.Settings)
	if err != nil {
		return nil, err
	}
	apps := make([]*config.App, len(pipelines))
	for i, p := range pipelines {
		apps[i] = p.app
	}
	return apps, nil
}
