package dockerref

import (
	"context"
	"errors"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// builder returns the image that configuration names.
type builder struct{ cfg BuilderConfig }

var _ component.Builder[artifact.Image] = builder{}

func openBuilder(_ component.Host, c BuilderConfig) (component.Builder[artifact.Image], error) {
	if err := errors.Join(at("image", oci.CheckRepository(c.Image)), at("tag", oci.CheckTag(c.Tag))); err != nil {
		return nil, err
	}
	return builder{c}, nil
}

// Build implements [component.Builder]. A registry block of the same image
// and tag passes the result on as it is.
func (b builder) Build(context.Context, component.BuildRequest) (artifact.Image, error) {
	return artifact.Image{Repository: b.cfg.Image, Tag: b.cfg.Tag}, nil
}

// at points a problem at an attribute.
func at(attr string, err error) error {
	if problem, ok := errors.AsType[*diag.Problem](err); ok {
		problem.Attr = attr
	}
	return err
}
