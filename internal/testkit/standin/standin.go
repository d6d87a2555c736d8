// Package standin has plugins that take the configuration of the plugins that
// Waypoint had, and do nothing.
//
// A test of configuration gives them to the program in place of plugins that
// are not built yet, so that files written for those validate and evaluate.
// They promise nothing else: what they return is made up.
package standin

import (
	"context"
	"errors"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// Plugins are the stand-ins, in alphabetical order.
var Plugins = []component.Plugin{
	{Name: "aws-alb", Releaser: releases[ALB]()},
	{Name: "aws-ami", Builder: builds[AMI](artifact.MachineImage{ID: "ami-1"})},
	{Name: "aws-ec2", Platform: deploys[EC2, artifact.MachineImage]()},
	{Name: "aws-ecr", Registry: pushes[ECR](image)},
	{Name: "aws-ecr-pull", Builder: builds[ECRPull](image)},
	{Name: "aws-ecs", Platform: deploys[ECS, artifact.Image](), Releaser: releases[struct{}](), DefaultRelease: true},
	{Name: "aws-lambda", Platform: deploys[Lambda, artifact.Image]()},
	{Name: "aws-ssm", Sourcer: reads[SSM]()},
	{Name: "azure-container-instance", Platform: deploys[ContainerInstance, artifact.Image]()},
	{Name: "consul", Sourcer: reads[Consul]()},
	{Name: "docker", Builder: builds[DockerBuild](image), Registry: pushes[DockerPush](image), Platform: deploys[Docker, artifact.Image]()},
	{Name: "docker-pull", Builder: builds[DockerPull](image)},
	{Name: "docker-ref", Builder: builds[DockerRef](image)},
	{Name: "exec", Platform: deploys[Exec, artifact.Artifact]()},
	{Name: "files", Builder: builds[struct{}](artifact.Files{Path: "files"}), Registry: pushes[FilesCopy](artifact.Files{Path: "files"})},
	{Name: "google-cloud-run", Platform: deploys[CloudRun, artifact.Image](), Releaser: releases[struct{}](), DefaultRelease: true},
	{Name: "helm", Platform: deploys[Helm, artifact.Artifact]()},
	{Name: "kubernetes", Platform: deploys[Kubernetes, artifact.Image](), Releaser: releases[KubernetesRelease](), DefaultRelease: true, Sourcer: reads[struct{}]()},
	{Name: "kubernetes-apply", Platform: deploys[KubernetesApply, artifact.Artifact]()},
	{Name: "lambda-function-url", Releaser: releases[FunctionURL]()},
	{Name: "netlify", Platform: deploys[Netlify, artifact.Files]()},
	{Name: "nomad", Platform: deploys[Nomad, artifact.Image]()},
	{Name: "nomad-jobspec", Platform: deploys[NomadJobspec, artifact.Artifact]()},
	{Name: "nomad-jobspec-canary", Releaser: releases[NomadCanary]()},
	{Name: "null", Builder: builds[struct{}](artifact.None{}), Platform: deploys[struct{}, artifact.Artifact](), Releaser: releases[struct{}](), DefaultRelease: true},
	{Name: "pack", Builder: builds[Pack](image)},
	{Name: "terraform-cloud", Sourcer: reads[TerraformCloud]()},
	{Name: "vault", Sourcer: reads[Vault]()},
}

// Beside returns the plugins that are given, and the stand-ins of all others.
func Beside(built []component.Plugin) []component.Plugin {
	plugins := slices.Clone(built)
	for _, p := range Plugins {
		if !slices.ContainsFunc(built, func(b component.Plugin) bool { return b.Name == p.Name }) {
			plugins = append(plugins, p)
		}
	}
	return plugins
}

// image is what builders and registries make.
var image = artifact.Image{Repository: "registry.example.com/shop/web", Tag: "v1", Digest: "sha256:" + digest, Architecture: "amd64"}

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// builder makes what it was given.
type builder[A artifact.Artifact] struct{ made A }

func builds[C any, A artifact.Artifact](made A) *component.BuilderSpec {
	return component.NewBuilder(func(component.Host, C) (component.Builder[A], error) { return builder[A]{made}, nil })
}

// Build implements [component.Builder].
func (b builder[A]) Build(context.Context, component.BuildRequest) (A, error) { return b.made, nil }

// registry makes what it was given.
type registry[A artifact.Artifact] struct{ made A }

func pushes[C any, A artifact.Artifact](made A) *component.RegistrySpec {
	return component.NewRegistry(func(component.Host, C) (component.Registry[A], error) { return registry[A]{made}, nil })
}

// Plan implements [component.Registry].
func (g registry[A]) Plan(context.Context, component.PushRequest[A]) (A, component.Plan, error) {
	return g.made, create("artifact"), nil
}

// Push implements [component.Registry].
func (g registry[A]) Push(context.Context, component.PushRequest[A]) (A, error) { return g.made, nil }

// Repository implements [component.Registry].
func (g registry[A]) Repository(context.Context, component.App) (*artifact.Repository, error) {
	return nil, nil
}

// Deployment is a deployment of nothing.
type Deployment struct {
	ID string `json:"id"`
}

// Vars implements [component.Deployment].
func (d Deployment) Vars() map[string]cty.Value {
	return map[string]cty.Value{"name": cty.StringVal(d.ID)}
}

// URL implements [component.Deployment].
func (Deployment) URL() string { return "" }

// Generation implements [component.Deployment].
func (Deployment) Generation() string { return "" }

// platform runs nothing.
type platform[A artifact.Artifact] struct {
	component.Unsupported[Deployment]
}

func deploys[C any, A artifact.Artifact]() *component.PlatformSpec {
	return component.NewPlatform(func(component.Host, C) (component.Platform[A, Deployment], error) { return platform[A]{}, nil })
}

// Plan implements [component.Platform].
func (platform[A]) Plan(context.Context, component.DeployRequest[A]) (component.Plan, error) {
	return create("deployment"), nil
}

// Deploy implements [component.Platform].
func (platform[A]) Deploy(_ context.Context, req component.DeployRequest[A]) (Deployment, error) {
	return Deployment{req.ID}, nil
}

// Status implements [component.Platform].
func (platform[A]) Status(context.Context, component.Target[Deployment]) (component.Health, error) {
	return component.Health{State: component.Ready}, nil
}

// Destroy implements [component.Platform].
func (platform[A]) Destroy(context.Context, component.Target[Deployment]) error { return nil }

// Release is a release of nothing.
type Release struct {
	Deployment string `json:"deployment"`
}

// URL implements [component.Release].
func (Release) URL() string { return "" }

// releaser releases nothing.
type releaser struct{}

func releases[C any]() *component.ReleaserSpec {
	return component.NewReleaser(func(component.Host, C) (component.Releaser[component.Deployment, Release], error) {
		return releaser{}, nil
	})
}

// Plan implements [component.Releaser].
func (releaser) Plan(context.Context, component.ReleaseRequest[component.Deployment]) (component.Plan, error) {
	return create("release"), nil
}

// Release implements [component.Releaser].
func (releaser) Release(_ context.Context, req component.ReleaseRequest[component.Deployment]) (Release, error) {
	return Release{req.Target.ID}, nil
}

// Destroy implements [component.Releaser].
func (releaser) Destroy(context.Context, component.App, Release) error { return nil }

// sourcer answers each key with the words of the question.
type sourcer struct{}

func reads[C any]() *component.SourcerSpec {
	return component.NewSourcer(func(component.Host, C) (component.Sourcer, error) { return sourcer{}, nil })
}

// Read implements [component.Sourcer]. It needs parameters, and answers with
// the variable's name.
func (sourcer) Read(_ context.Context, keys []component.Key) ([]component.Reading, error) {
	readings := make([]component.Reading, len(keys))
	for i, key := range keys {
		readings[i].Text = secretOf(key)
		if len(key.Params) == 0 {
			readings[i].Err = errors.New("the key has no parameters")
		}
	}
	return readings, nil
}

// Close implements [component.Sourcer].
func (sourcer) Close(context.Context) error { return nil }

// create is a plan that makes one thing.
func create(subject string) component.Plan {
	return component.Plan{Changes: []component.Change{{Action: component.Create, Subject: subject}}}
}
