package awsecs

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
)

// Status implements [component.Platform].
func (p *platform) Status(ctx context.Context, t component.Target[Deployment]) (component.Health, error) {
	w, err := p.begin(ctx, t.App, t.Deployment)
	if err != nil {
		return component.Health{}, err
	}
	if p.existing(t.Deployment) {
		return w.statusExisting(ctx, t)
	}
	s, err := w.ownService(ctx, t.ID)
	if err != nil {
		return component.Health{}, err
	}
	if s == nil {
		return component.Health{State: component.Missing, Message: fmt.Sprintf("the cluster %q has no such service", w.cluster)}, nil
	}
	health, err := w.health(ctx, s)
	health.Drift = drift(t.Deployment, s)
	return health, err
}

// existing reports whether a deployment is a revision of somebody else's
// service.
func (p *platform) existing(d Deployment) bool {
	return d.Existing || d.Service == "" && p.cfg.Service != ""
}

// health says how a service fares: by its load balancer where it has one.
func (w *work) health(ctx context.Context, s *types.Service) (component.Health, error) {
	health := healthOf(s)
	if health.State != component.Ready || len(s.LoadBalancers) == 0 || s.DesiredCount == 0 {
		return health, nil
	}
	targets, err := w.elb.Health(ctx, sdk.ToString(s.LoadBalancers[0].TargetGroupArn))
	if err != nil || !targets.Exists || targets.Healthy >= int(s.DesiredCount) {
		return health, err
	}
	health.State, health.Message = component.Degraded, targets.Message()
	if targets.Healthy == 0 {
		health.State = component.Down
	}
	return health, nil
}

// healthOf says how the tasks of a service fare.
func healthOf(s *types.Service) component.Health {
	message := fmt.Sprintf("%d of %s running", s.RunningCount, counted(int(s.DesiredCount), "task"))
	state := component.Ready
	if s.RunningCount < s.DesiredCount {
		if state = component.Degraded; s.RunningCount == 0 {
			state = component.Down
		}
	}
	at := slices.IndexFunc(s.Deployments, func(d types.Deployment) bool { return sdk.ToString(d.Status) == "PRIMARY" })
	if at < 0 {
		return component.Health{State: state, Message: message}
	}
	switch d := s.Deployments[at]; d.RolloutState {
	case types.DeploymentRolloutStateFailed:
		if state == component.Ready {
			state = component.Degraded
		}
		message += ": " + sdk.ToString(d.RolloutStateReason)
	case types.DeploymentRolloutStateInProgress:
		if state != component.Ready || d.RunningCount < d.DesiredCount {
			state = component.Starting
		}
	}
	return component.Health{State: state, Message: message}
}

// drift says what of a service is not as Deploy made it. What a revision of a
// task definition says never changes.
func drift(d Deployment, s *types.Service) []component.Change {
	if d.TaskDefinition == "" {
		return nil
	}
	var changes []component.Change
	differs := func(reason string, args ...any) {
		changes = append(changes, component.Change{
			Action: component.Update, Subject: "service/" + sdk.ToString(s.ServiceName), Reason: fmt.Sprintf(reason, args...),
		})
	}
	if now := sdk.ToString(s.TaskDefinition); now != d.TaskDefinition {
		differs("runs %s, no longer %s", short(now), short(d.TaskDefinition))
	}
	if !d.Existing && s.DesiredCount != d.Count {
		differs("is asked for %s, no longer for %d", counted(int(s.DesiredCount), "task"), d.Count)
	}
	if d.Target != "" && !slices.ContainsFunc(s.LoadBalancers, func(l types.LoadBalancer) bool { return sdk.ToString(l.TargetGroupArn) == d.Target }) {
		differs("is in the target group %s no longer", short(d.Target))
	}
	return changes
}

// Find implements [component.Platform]. A deployment's secret is the first
// thing that is made of it, and its revision the last that goes.
func (p *platform) Find(ctx context.Context, app component.App) ([]component.Target[Deployment], error) {
	w, err := p.begin(ctx, app, Deployment{})
	if err != nil {
		return nil, err
	}
	if p.cfg.Service != "" {
		return w.findExisting(ctx)
	}
	return w.find(ctx, w.family(), func(r revision) Deployment {
		id := r.id(w)
		return Deployment{
			Region: w.region, Cluster: w.cluster, Service: id, TaskDefinition: r.arn, Image: w.imageOf(r), Count: w.cfg.count(),
			LogGroup: w.cfg.logGroup(), LogPrefix: w.logPrefix(id), Front: w.cfg.front(),
		}
	})
}

// find returns the deployments that have a revision, as made says of it, and
// those of which there is only a secret.
func (w *work) find(ctx context.Context, family string, made func(revision) Deployment) ([]component.Target[Deployment], error) {
	var (
		own     []revision
		secrets []kept
	)
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		own, err = w.ownRevisions(inner, family)
		return err
	})
	group.Go(func() (err error) {
		secrets, err = w.allSecrets(inner)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var found []component.Target[Deployment]
	known := map[string]bool{}
	for _, r := range own {
		if id := r.id(w); !known[id] {
			known[id] = true
			found = append(found, component.Target[Deployment]{App: w.app, ID: id, Sequence: aws.Sequence(r.tags), Deployment: made(r)})
		}
	}
	for _, s := range secrets {
		if !known[s.id] {
			found = append(found, component.Target[Deployment]{
				App: w.app, ID: s.id, Sequence: s.sequence, Deployment: made(revision{tags: aws.Tags(w.app, s.id, s.sequence)}),
			})
		}
	}
	slices.SortStableFunc(found, func(a, b component.Target[Deployment]) int { return cmp.Compare(b.Sequence, a.Sequence) })
	return found, nil
}

// imageOf returns the image of the app's container in a revision.
func (w *work) imageOf(r revision) string {
	if r.def == nil {
		return ""
	}
	for _, c := range r.def.ContainerDefinitions {
		if sdk.ToString(c.Name) == w.containerName() {
			return sdk.ToString(c.Image)
		}
	}
	return ""
}
