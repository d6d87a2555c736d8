package awsecs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// stoppedTasks returns the tasks of a revision that failed, newest first. ECS
// remembers them for an hour.
func (w *work) stoppedTasks(ctx context.Context, service, taskDefinition string) ([]types.Task, error) {
	tasks, err := w.tasks(ctx, service, types.DesiredStatusStopped)
	if err != nil {
		return nil, err
	}
	tasks = slices.DeleteFunc(tasks, func(t types.Task) bool {
		return sdk.ToString(t.TaskDefinitionArn) != taskDefinition || !failed(t)
	})
	slices.SortStableFunc(tasks, func(a, b types.Task) int { return sdk.ToTime(b.CreatedAt).Compare(sdk.ToTime(a.CreatedAt)) })
	return tasks, nil
}

// tasks returns the tasks of a service, a hundred at most.
func (w *work) tasks(ctx context.Context, service string, status types.DesiredStatus) ([]types.Task, error) {
	list, err := w.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &w.cluster, ServiceName: &service, DesiredStatus: status})
	if err != nil || len(list.TaskArns) == 0 {
		return nil, err
	}
	out, err := w.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &w.cluster, Tasks: list.TaskArns})
	if err != nil {
		return nil, err
	}
	return out.Tasks, nil
}

// failed reports whether a task that stopped did so for a fault of its own, not
// because it was no longer wanted.
func failed(t types.Task) bool {
	switch t.StopCode {
	case types.TaskStopCodeTaskFailedToStart, types.TaskStopCodeEssentialContainerExited:
		return true
	case types.TaskStopCodeServiceSchedulerInitiated:
		return strings.Contains(sdk.ToString(t.StoppedReason), "health checks")
	}
	return false
}

// mostFailures is how many tasks may stop for one reason before waiting ends.
const mostFailures = 3

// hopeless reports whether tasks stop again and again for one reason, or once
// for a reason that does not go.
func hopeless(stopped []types.Task) bool {
	count := map[string]int{}
	for _, t := range stopped {
		why, _ := cause(t)
		if count[why]++; count[why] >= mostFailures || permanent(why) {
			return true
		}
	}
	return false
}

// permanent reports whether no further try will start a task.
func permanent(why string) bool {
	return strings.Contains(why, "CannotPullContainerError") &&
		(strings.Contains(why, "not found") || strings.Contains(why, "manifest unknown") || strings.Contains(why, "does not match the specified platform") ||
			strings.Contains(why, "does not contain descriptor matching platform"))
}

// cause returns why a task stopped, in one line, and what may help.
func cause(t types.Task) (why, remedy string) {
	why = sdk.ToString(t.StoppedReason)
	for _, c := range t.Containers {
		if reason := sdk.ToString(c.Reason); reason != "" {
			why = reason
			break
		}
		if c.ExitCode != nil && *c.ExitCode != 0 {
			why = fmt.Sprintf("container %s ended with status %d", sdk.ToString(c.Name), *c.ExitCode)
		}
	}
	return cmp.Or(why, string(t.StopCode)), remedyOf(why)
}

// remedyOf returns what helps against the usual reasons; "" against others.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
func remedyOf(why string) string {
	for _, known := range []struct{ part, remedy string }{
		{"OutOfMemory", "Give the task more `memory`."},
		{"platform", "Build the image for the task's architecture, or set `architecture` to the image's."},
		{"not found", "The registry has no such image. Check that it was pushed, and that no lifecycle rule removed it."},
		{"CannotPullContainerError", "The execution role must be allowed to pull the image, and the task must reach the registry: " +
			"by a public address in a public subnet, a NAT gateway, or VPC endpoints."},
		{"secrets", "The execution role must be allowed to read the secret, and the task must reach Secrets Manager or Systems Manager: " +
			"by a public address in a public subnet, a NAT gateway, or VPC endpoints."},
		{"ResourceInitializationError", "The task must reach AWS's services: by a public address in a public subnet, a NAT gateway, or VPC endpoints; " +
			"and its execution role must be allowed to use them."},
		{"ELB health checks", "The app must answer the load balancer's check: look at `service_port` and `health_check`."},
		{"container health checks", "The container's own health check fails."},
		{"status 137", "It was killed, perhaps because it had not enough `memory`."},
		{"ended with status", "What it wrote last says why."},
	} {
		if strings.Contains(why, known.part) {
			return known.remedy
		}
	}
	return ""
}

// failure explains a rollout that failed: the cause first, then what ECS says.
// What the tasks wrote is asked for by the engine.
func failure(verdict string, stopped []types.Task, s *types.Service) error {
	problem := &diag.Problem{Summary: "Tasks do not start"}
	detail := []string{strings.TrimSpace(verdict)}
	if len(stopped) > 0 {
		why, remedy := cause(stopped[0])
		problem.Summary = "Task stopped: " + why
		if remedy != "" {
			detail[0] += " " + remedy
		}
		detail = append(detail, "Stopped tasks:\n"+strings.Join(described(stopped), "\n"))
	}
	problem.Detail = strings.Join(detail, "\n\n") + events(s)
	return problem
}

// mostShown is how many stopped tasks, or events, are shown.
const mostShown = 3

// described says of each task why it stopped.
func described(stopped []types.Task) []string {
	var lines []string
	for _, t := range stopped[:min(mostShown, len(stopped))] {
		said := []string{fmt.Sprintf("  %s: %s", short(sdk.ToString(t.TaskArn)), sdk.ToString(t.StoppedReason))}
		for _, c := range t.Containers {
			if c.ExitCode != nil {
				said = append(said, fmt.Sprintf("container %s: status %d", sdk.ToString(c.Name), *c.ExitCode))
			}
			if c.Reason != nil {
				said = append(said, fmt.Sprintf("container %s: %s", sdk.ToString(c.Name), *c.Reason))
			}
		}
		lines = append(lines, strings.Join(said, "; "))
	}
	return lines
}

// events returns the last events of a service as a part of a detail.
func events(s *types.Service) string {
	if len(s.Events) == 0 {
		return ""
	}
	lines := []string{"\n\nThe service's last events:"}
	for _, e := range s.Events[:min(mostShown, len(s.Events))] {
		lines = append(lines, sdk.ToString(e.Message))
	}
	return strings.Join(lines, "\n  ")
}
