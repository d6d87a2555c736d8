package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

const (
	defaultHealthTimeout = 30 * time.Second
	defaultStopTimeout   = 10 * time.Second

	// supervisorGrace is what a supervisor gets beyond the app's own time to
	// end.
	supervisorGrace = 5 * time.Second
)

// platform runs images as processes of this machine.
type platform struct {
	host          component.Host
	cfg           PlatformConfig
	protocol      string
	healthTimeout time.Duration
	stopTimeout   time.Duration
}

var _ component.Platform[artifact.Image, Deployment] = (*platform)(nil)

func openPlatform(h component.Host, c PlatformConfig) (component.Platform[artifact.Image, Deployment], error) {
	protocol, protocolErr := parseProtocol(c.Protocol)
	health, healthErr := parseDuration("health_timeout", c.HealthTimeout, defaultHealthTimeout)
	stop, stopErr := parseDuration("stop_timeout", c.StopTimeout, defaultStopTimeout)
	err := errors.Join(
		checkPort("service_port", c.ServicePort), checkPort("front_port", c.FrontPort),
		protocolErr, healthErr, stopErr, checkHealthPath(c.HealthPath, protocol),
	)
	if err != nil {
		return nil, err
	}
	return &platform{host: h, cfg: c, protocol: protocol, healthTimeout: health, stopTimeout: stop}, nil
}

// Plan implements [component.Platform].
func (p *platform) Plan(ctx context.Context, req component.DeployRequest[artifact.Image]) (component.Plan, error) {
	subject := "process " + req.ID
	switch _, err := p.card(req.App, req.ID); {
	case err == nil:
		return component.Plan{Changes: []component.Change{{
			Action: component.Keep, Subject: subject, Reason: "completed, where an earlier attempt left off",
		}}}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return component.Plan{}, err
	}
	if err := p.check(ctx, req); err != nil {
		return component.Plan{}, err
	}
	return component.Plan{Changes: []component.Change{{
		Action: component.Create, Subject: subject, Reason: "runs " + titleOf(req.Artifact) + " on this machine",
	}}}, nil
}

// check returns what keeps a new deployment from being made.
func (p *platform) check(ctx context.Context, req component.DeployRequest[artifact.Image]) error {
	if req.Artifact.Daemon {
		return &diag.Problem{
			Summary: "Image is only in the Docker engine",
			Detail: fmt.Sprintf("%s was built by the Docker engine and not pushed; this platform reads images from registries. Add a registry block, or deploy with use \"docker\".",
				req.Artifact.Reference()),
		}
	}
	if p.cfg.ServicePort != 0 && !portBecomesFree(ctx, p.cfg.ServicePort) {
		return &diag.Problem{
			Summary: fmt.Sprintf("Port %d is in use", p.cfg.ServicePort),
			Detail: fmt.Sprintf("%s listens on it, which may be the deployment before this one. Two versions run side by side only if each has a port of its own: leave service_port out, and let the app listen on the port in its environment variable PORT. If a failed deployment holds it, run prune; to end the released one, run destroy.",
				portUser(p.cfg.ServicePort)),
			Attr: "service_port",
		}
	}
	return nil
}

// card returns the card of an existing deployment, [fs.ErrNotExist] where there
// is none, and another error where the folder of that name is not its own.
func (p *platform) card(app component.App, id string) (card, error) {
	c, err := homeOf(p.host.DataDir, app, id).card(app)
	if err == nil && c.Deployment != id {
		return c, fmt.Errorf("looking for deployment %q: its folder belongs to %q", id, c.Deployment)
	}
	return c, err
}

// Find implements [component.Platform].
func (p *platform) Find(_ context.Context, app component.App) ([]component.Target[Deployment], error) {
	dir := appDir(p.host.DataDir, app)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var cards []card
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), newPrefix) || entry.Name() == frontDir {
			continue
		}
		c, err := (home{filepath.Join(dir, entry.Name())}).card(app)
		if errors.Is(err, fs.ErrNotExist) {
			continue // not ours
		}
		if err != nil {
			return nil, err
		}
		cards = append(cards, c)
	}
	slices.SortFunc(cards, func(a, b card) int {
		return cmp.Or(cmp.Compare(b.Sequence, a.Sequence), b.Created.Compare(a.Created))
	})
	targets := make([]component.Target[Deployment], len(cards))
	for i, c := range cards {
		targets[i] = component.Target[Deployment]{App: app, ID: c.Deployment, Sequence: c.Sequence, Deployment: c.deployment()}
	}
	return targets, nil
}

// Restore implements [component.Platform]. Every deployment is a process of
// its own, so none was ever overwritten.
func (*platform) Restore(context.Context, component.RestoreRequest[Deployment]) (Deployment, error) {
	return Deployment{}, errors.ErrUnsupported
}
