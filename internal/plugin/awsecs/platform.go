package awsecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// platform runs images as services of ECS.
type platform struct {
	host component.Host
	cfg  Config
	tempo
}

// tempo is how fast a platform looks.
type tempo struct {
	pace   time.Duration // between two looks at what is waited for
	steady time.Duration // how long tasks that nobody checks must run to count as serving
}

var _ component.Platform[artifact.Image, Deployment] = (*platform)(nil)

func openPlatform(h component.Host, c Config) (component.Platform[artifact.Image, Deployment], error) {
	return tempo{1500 * time.Millisecond, 5 * time.Second}.open(h, c)
}

// open makes a platform that looks this fast.
func (t tempo) open(h component.Host, c Config) (component.Platform[artifact.Image, Deployment], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &platform{h, c, t}, nil
}

// work is an operation on one app in one cluster.
type work struct {
	*client
	tempo
	cfg      Config
	app      component.App
	cluster  string
	progress component.Progress
}

// begin makes the work on an app. A recorded deployment says where it is, which
// the file may say otherwise by now.
func (p *platform) begin(ctx context.Context, app component.App, d Deployment) (*work, error) {
	c, err := connect(ctx, p.host, cmp.Or(d.Region, p.cfg.Region))
	if err != nil {
		return nil, err
	}
	return &work{c, p.tempo, p.cfg, app, cmp.Or(d.Cluster, p.cfg.cluster()), p.host.Progress}, nil
}

// Deploy implements [component.Platform].
func (p *platform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Image]) (Deployment, error) {
	if err := deliverable(req); err != nil {
		return Deployment{}, err
	}
	w, err := p.begin(ctx, req.App, Deployment{})
	if err != nil {
		return Deployment{}, err
	}
	if p.cfg.Service != "" {
		return w.deployExisting(ctx, req)
	}
	return w.deployOwn(ctx, req)
}

// deliverable refuses what ECS cannot be given.
func deliverable(req component.DeployRequest[artifact.Image]) error {
	if len(req.Files) > 0 {
		return &diag.Problem{
			Summary: "No files in a task of ECS",
			Detail: "The app's config block has files, which ECS has no way to put into a container. " +
				"Give the content as a variable, or have the image fetch it.",
		}
	}
	if req.Artifact.Local() {
		return &diag.Problem{
			Summary: "Image is only on this machine",
			Detail:  fmt.Sprintf("ECS pulls images from a registry, and %q is in none. Add a `registry` block to `build`, such as `use \"aws-ecr\"`.", req.Artifact.Reference()),
		}
	}
	return nil
}

// Exec implements [component.Platform].
func (*platform) Exec(context.Context, component.Target[Deployment], component.ExecRequest) (int, error) {
	return 0, &diag.Problem{
		Summary: "No commands in a task of ECS",
		Detail: "ECS opens sessions by a protocol of its own, which this program does not speak. " +
			"Use `aws ecs execute-command`, for a service with execute command enabled.",
		Err: errors.ErrUnsupported,
	}
}
