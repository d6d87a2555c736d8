package awsecs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// rollout is one deployment of a service that is waited for. It is known by its
// revision of the task definition, which names the image by its digest: a
// service that runs another revision does not run what we deployed.
type rollout struct {
	service        string
	taskDefinition string

	completed time.Time // when it was first seen so
	stopped   int       // failed tasks that were seen by then
	unseen    int       // looks at which the service was not known
}

// mostUnseen is at how many looks a service may be unknown that was just made.
const mostUnseen = 10

// await waits until the tasks of a rollout serve, and fails as soon as it is
// clear that they will not.
func (w *work) await(ctx context.Context, r rollout, step component.Step) error {
	return retry.Poll(ctx, w.pace, func(ctx context.Context) (bool, error) {
		s, err := w.describeService(ctx, r.service)
		if err != nil {
			return false, err
		}
		if s == nil {
			if r.unseen++; r.unseen >= mostUnseen {
				return false, fmt.Errorf("waiting for service %q: it is gone", r.service)
			}
			return false, nil
		}
		return w.judge(ctx, &r, s, step)
	})
}

// judge reports whether a rollout is done, or fails with the reason why it
// never will be.
func (w *work) judge(ctx context.Context, r *rollout, s *types.Service, step component.Step) (done bool, err error) {
	at := slices.IndexFunc(s.Deployments, func(d types.Deployment) bool { return sdk.ToString(d.TaskDefinition) == r.taskDefinition })
	if at < 0 {
		return false, w.superseded(ctx, r, s)
	}
	ours := s.Deployments[at]
	stopped, err := w.stoppedTasks(ctx, r.service, r.taskDefinition)
	if err != nil {
		return false, err
	}
	if ours.RolloutState == types.DeploymentRolloutStateFailed {
		return false, failure("ECS has given up: "+sdk.ToString(ours.RolloutStateReason), stopped, s)
	}
	if sdk.ToString(ours.Status) != "PRIMARY" {
		return false, w.superseded(ctx, r, s)
	}
	if hopeless(stopped) {
		return false, failure(fmt.Sprintf("%s of this deployment stopped for the same reason.", counted(len(stopped), "task")), stopped, s)
	}
	step.Update("%s", progress(ours, s))
	if ours.RolloutState != types.DeploymentRolloutStateCompleted || ours.RunningCount < ours.DesiredCount {
		r.completed = time.Time{}
		return false, nil
	}
	if len(s.LoadBalancers) > 0 {
		return true, nil // it has found the tasks to be well
	}
	// Nobody checks whether the tasks serve: for ECS a task that starts, and
	// ends a second later, has been running.
	if r.completed.IsZero() || len(stopped) != r.stopped {
		r.completed, r.stopped = time.Now(), len(stopped)
	}
	return time.Since(r.completed) >= w.steady, nil
}

// progress says how far a rollout is.
func progress(d types.Deployment, s *types.Service) string {
	text := fmt.Sprintf("%d of %s running", d.RunningCount, counted(int(d.DesiredCount), "task"))
	if d.PendingCount > 0 {
		text += fmt.Sprintf(", %d starting", d.PendingCount)
	}
	if d.FailedTasks > 0 {
		text += fmt.Sprintf(", %d failed", d.FailedTasks)
	}
	// An event that says why no task starts is the first thing to know.
	if len(s.Events) > 0 && strings.Contains(sdk.ToString(s.Events[0].Message), "unable to") {
		text += ": " + sdk.ToString(s.Events[0].Message)
	}
	return text
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// superseded says that a service runs something else than what we deployed:
// what its circuit breaker put back, or what somebody else deployed.
func (w *work) superseded(ctx context.Context, r *rollout, s *types.Service) error {
	stopped, err := w.stoppedTasks(ctx, r.service, r.taskDefinition)
	if err != nil {
		return err
	}
	now := short(sdk.ToString(s.TaskDefinition))
	if len(stopped) > 0 {
		return failure(fmt.Sprintf("The circuit breaker of service %q has put %s back, which serves.", r.service, now), stopped, s)
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("Service %q runs %s, not what was deployed", r.service, now),
		Detail: fmt.Sprintf("While %s was being rolled out, its circuit breaker or somebody else had the service run %s.%s",
			short(r.taskDefinition), now, events(s)),
	}
}

// short returns the last part of an ARN.
func short(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
