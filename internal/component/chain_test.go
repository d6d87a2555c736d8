package component_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

func builds[A artifact.Artifact]() *component.BuilderSpec {
	return component.NewBuilder(func(component.Host, settings) (component.Builder[A], error) { return builder[A]{}, nil })
}

func pushes[A artifact.Artifact]() *component.RegistrySpec {
	return component.NewRegistry(func(component.Host, settings) (component.Registry[A], error) { return registry[A]{}, nil })
}

func deploys[A artifact.Artifact, D component.Deployment]() *component.PlatformSpec {
	return component.NewPlatform(func(component.Host, settings) (component.Platform[A, D], error) {
		return platform[A, D]{}, nil
	})
}

func releases() *component.ReleaserSpec {
	return component.NewReleaser(func(component.Host, settings) (component.Releaser[grouped, release], error) {
		return releaser{}, nil
	})
}

func TestChain(t *testing.T) {
	t.Parallel()
	dynamicBuilder := component.DynamicBuilder(func(component.Host, component.Decode) (component.AnyBuilder, hcl.Diagnostics, error) {
		return nil, nil, nil
	})
	dynamicPlatform := component.DynamicPlatform(func(component.Host, component.Decode) (component.AnyPlatform, hcl.Diagnostics, error) {
		return nil, nil, nil
	}, nil)
	image := deploys[artifact.Image, deployment]
	cases := map[string]struct {
		b    *component.BuilderSpec
		g    *component.RegistrySpec
		p    *component.PlatformSpec
		r    *component.ReleaserSpec
		want []string // the stages at fault
	}{
		"images all the way":             {builds[artifact.Image](), pushes[artifact.Image](), image(), releases(), nil},
		"nothing but a platform":         {nil, nil, image(), nil, nil},
		"files for an image platform":    {builds[artifact.Files](), nil, image(), nil, []string{"deploy"}},
		"files for an image registry":    {builds[artifact.Files](), pushes[artifact.Image](), image(), nil, []string{"push"}},
		"an image for a files registry":  {builds[artifact.Image](), pushes[artifact.Files](), image(), nil, []string{"push", "deploy"}},
		"anything for an open platform":  {builds[artifact.None](), nil, deploys[artifact.Artifact, deployment](), nil, nil},
		"a kind that a platform takes":   {builds[artifact.Files](), nil, deploys[artifact.Artifact, deployment]().Only(artifact.Image{}, artifact.Files{}), nil, nil},
		"a kind that a platform refuses": {builds[artifact.None](), nil, deploys[artifact.Artifact, deployment]().Only(artifact.Image{}, artifact.Files{}), nil, []string{"deploy"}},
		"a deployment without a group":   {nil, nil, deploys[artifact.Image, plain](), releases(), []string{"release"}},
		"an external builder":            {dynamicBuilder, pushes[artifact.Image](), image(), releases(), nil},
		"an external platform":           {builds[artifact.Image](), nil, dynamicPlatform, releases(), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			if joined, ok := component.Chain(c.b, c.g, c.p, c.r).(interface{ Unwrap() []error }); ok {
				for _, err := range joined.Unwrap() {
					fault, ok := errors.AsType[*component.ChainError](err)
					if !ok || fault.Error() == "" {
						t.Fatalf("Chain returns %v, want a ChainError with a reason", err)
					}
					got = append(got, fault.Stage)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("stages at fault differ (-want +got):\n%s", diff)
			}
		})
	}
}
