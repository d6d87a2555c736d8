package dockerref_test

import (
	"errors"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/dockerref"
)

// open configures the builder with c.
func open(c dockerref.BuilderConfig) (component.AnyBuilder, error) {
	builder, _, err := dockerref.Plugin.Builder.Open(component.Host{}, func(into any) hcl.Diagnostics {
		*into.(*dockerref.BuilderConfig) = c
		return nil
	})
	return builder, err
}

func TestBuild(t *testing.T) {
	t.Parallel()
	builder, err := open(dockerref.BuilderConfig{Image: "ghcr.io/acme/web", Tag: "1.4"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := builder.Build(t.Context(), component.BuildRequest{})
	if want := (artifact.Image{Repository: "ghcr.io/acme/web", Tag: "1.4"}); err != nil || got != want {
		t.Errorf("Build = %+v, %v; want %+v", got, err, want)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for attr, c := range map[string]dockerref.BuilderConfig{
		"image": {Image: "ghcr.io/Acme", Tag: "1"},
		"tag":   {Image: "ghcr.io/acme/web", Tag: "a b"},
	} {
		_, err := open(c)
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || problem.Attr != attr {
			t.Errorf("opening %+v: %v, want a problem at %s", c, err, attr)
		}
	}
}
