package docker

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// The labels of a container. Nothing without them is ever touched.
const (
	labelManagedBy  = "deploy-action.dev/managed-by"
	labelProject    = "deploy-action.dev/project"
	labelApp        = "deploy-action.dev/app"
	labelWorkspace  = "deploy-action.dev/workspace"
	labelDeployment = "deploy-action.dev/deployment"
	labelSequence   = "deploy-action.dev/sequence"

	managedBy = "deploy-action"
)

// appLabels are the labels that all containers of an app in a workspace share.
func appLabels(app component.App) map[string]string {
	return map[string]string{
		labelManagedBy: managedBy,
		labelProject:   app.Project,
		labelApp:       app.Name,
		labelWorkspace: app.Workspace,
	}
}

// filters selects the containers that have all of these labels.
func filters(labels map[string]string) client.Filters {
	f := client.Filters{}
	for name, value := range labels {
		f.Add("label", name+"="+value)
	}
	return f
}

// find returns the container of a deployment, or nil where there is none. It
// goes by the labels alone: a container of that name which is not ours is none.
func (p *platform) find(ctx context.Context, app component.App, id string) (*container.InspectResponse, error) {
	if err := p.engine.connect(ctx); err != nil {
		return nil, err
	}
	labels := appLabels(app)
	labels[labelDeployment] = id
	list, err := p.engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters(labels)})
	if err != nil {
		return nil, p.engine.explain(ctx, "listing containers", err)
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	return p.inspect(ctx, list.Items[0].ID)
}

// inspect returns a container, or nil where there is none.
func (p *platform) inspect(ctx context.Context, id string) (*container.InspectResponse, error) {
	result, err := p.engine.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, p.engine.explain(ctx, "inspecting a container", err)
	}
	if result.Container.State == nil || result.Container.Config == nil || result.Container.NetworkSettings == nil {
		return nil, fmt.Errorf("inspecting container %q: the engine's answer lacks its state", id)
	}
	return &result.Container, nil
}

// spec returns the container that Deploy asks for, but for its image.
func (p *platform) spec(req component.DeployRequest[artifact.Image]) (client.ContainerCreateOptions, error) {
	if err := p.deliverable(req.DeployInput); err != nil {
		return client.ContainerCreateOptions{}, err
	}
	limits, err := p.limits()
	if err != nil {
		return client.ContainerCreateOptions{}, err
	}
	labels := maps.Clone(p.cfg.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, appLabels(req.App))
	labels[labelDeployment] = req.ID
	labels[labelSequence] = strconv.Itoa(req.Sequence)

	exposed, published := p.ports()
	spec := client.ContainerCreateOptions{
		Name:   req.ID,
		Config: &container.Config{Cmd: p.cfg.Command, Env: p.environment(req.Env), Labels: labels, ExposedPorts: exposed},
		HostConfig: &container.HostConfig{
			Binds:        p.cfg.Binds,
			PortBindings: published,
			Resources:    limits,
		},
	}
	if p.cfg.ScratchPath != "" {
		spec.Config.Volumes = map[string]struct{}{p.cfg.ScratchPath: {}}
	}
	return spec, nil
}

// deliverable refuses sensitive values, which a container cannot keep to
// itself, unless configuration allows it.
func (p *platform) deliverable(in component.DeployInput) error {
	if p.cfg.PlaintextSecrets {
		return nil
	}
	var sensitive []string
	for name, setting := range in.Env {
		if setting.Sensitive {
			sensitive = append(sensitive, strconv.Quote(name))
		}
	}
	for path, setting := range in.Files {
		if setting.Sensitive {
			sensitive = append(sensitive, strconv.Quote(path))
		}
	}
	if len(sensitive) == 0 {
		return nil
	}
	slices.Sort(sensitive)
	return &diag.Problem{
		Summary: "Sensitive values for a container",
		Detail: fmt.Sprintf("The app's config block has the sensitive values %s. The Docker engine has no secret store: "+
			"everyone who may use the engine can read them. Set plaintext_secrets = true in this block to accept that.",
			strings.Join(sensitive, ", ")),
		Attr: "plaintext_secrets",
	}
}

// environment returns NAME=VALUE entries; of two with one name the later wins.
// The engine puts them over those of the image.
func (p *platform) environment(settings map[string]component.Setting) []string {
	env := map[string]string{}
	if port := p.servicePort(); port > 0 {
		env["PORT"] = strconv.Itoa(port)
	}
	maps.Copy(env, p.cfg.StaticEnvironment)
	for name, setting := range settings {
		env[name] = setting.Text.Reveal()
	}
	entries := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		entries = append(entries, name+"="+env[name])
	}
	return entries
}

func (p *platform) servicePort() int {
	if p.cfg.ServicePort == nil {
		return 3000
	}
	return *p.cfg.ServicePort
}

// ports returns the ports to expose and where to publish them: at free ports
// of this machine's loopback address, or of every address of a remote engine,
// where loopback could not be reached.
func (p *platform) ports() (network.PortSet, network.PortMap) {
	binding := network.PortBinding{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	if p.engine.remote != "" {
		binding.HostIP = netip.Addr{}
	}
	exposed, published := network.PortSet{}, network.PortMap{}
	for _, number := range append([]int{p.servicePort()}, p.cfg.ExtraPorts...) {
		if port, ok := tcp(number); ok {
			exposed[port] = struct{}{}
			published[port] = []network.PortBinding{binding}
		}
	}
	return exposed, published
}

// tcp returns a port in the engine's form; 0 is none.
func tcp(number int) (port network.Port, ok bool) {
	if number == 0 {
		return network.Port{}, false
	}
	return network.PortFrom(uint16(number), network.TCP)
}

// limits reads the attribute resources.
func (p *platform) limits() (container.Resources, error) {
	var (
		limits container.Resources
		err    error
	)
	for _, name := range slices.Sorted(maps.Keys(p.cfg.Resources)) {
		value := p.cfg.Resources[name]
		switch name {
		case "memory":
			limits.Memory, err = units.RAMInBytes(value)
		case "cpu":
			limits.CPUShares, err = strconv.ParseInt(value, 10, 64)
		default:
			return limits, &diag.Problem{
				Summary: "Unknown resource",
				Detail:  fmt.Sprintf("The resource %q is not known; there are \"cpu\" and \"memory\".%s", name, diag.Suggest(name, []string{"cpu", "memory"})),
				Attr:    "resources",
			}
		}
		if err != nil {
			return limits, &diag.Problem{
				Summary: "Unreadable resource",
				Detail:  fmt.Sprintf("The value %q of %q is no number. Write memory as \"512m\" or \"2g\", and cpu as a share such as \"1024\".", value, name),
				Attr:    "resources",
			}
		}
	}
	return limits, nil
}
