//go:build servers

package awsecs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// stop has all services show tasks that stopped: of whichever revision they run,
// or are about to.
func (a *account) stop(n int, task map[string]any) {
	arn := func(i int) string { return fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:task/waypoint/%08d", i) }
	a.answers["ListTasks"] = func(in map[string]any) (int, map[string]any) {
		arns := []any{}
		for i := range n {
			if in["desiredStatus"] == "STOPPED" {
				arns = append(arns, arn(i))
			}
		}
		return 200, map[string]any{"taskArns": arns}
	}
	a.answers["DescribeTasks"] = func(map[string]any) (int, map[string]any) {
		a.mu.Lock()
		defer a.mu.Unlock()
		tasks := []any{}
		for i := range n {
			t := map[string]any{"taskArn": arn(i), "taskDefinitionArn": a.registered, "stoppedAt": float64(time.Now().Unix())}
			maps.Copy(t, task)
			tasks = append(tasks, t)
		}
		return 200, map[string]any{"tasks": tasks}
	}
}

// crash has tasks end with a status.
func (a *account) crash(status int) {
	a.stop(3, map[string]any{
		"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
		"containers": []any{map[string]any{"name": "web", "exitCode": status}},
	})
}

// starting has a rollout never complete.
func (a *account) starting(state string) {
	a.edits["DescribeServices"] = func(out map[string]any) {
		for _, s := range objects(out["services"]) {
			s["events"] = []any{map[string]any{"message": "(service web) has started 1 tasks", "createdAt": float64(time.Now().Unix())}}
			for _, d := range objects(s["deployments"]) {
				d["rolloutState"], d["runningCount"] = state, 0
				d["rolloutStateReason"] = "ECS deployment circuit breaker: tasks failed to start."
			}
		}
	}
}

func TestFailingDeploys(t *testing.T) {
	moto := servers.Moto(t, servers.ManagedPolicies, "MOTO_ECS_SERVICE_RUNNING=1")
	app := component.App{Project: "acme", Name: "web", Workspace: "default"}
	in := component.DeployInput{App: app, ID: "web-1", Sequence: 1}
	cases := map[string]struct {
		prepare       func(*account)
		cfg           Config
		summary, says string
	}{
		"crash loop": {func(a *account) {
			a.starting("IN_PROGRESS")
			a.crash(1)
		}, Config{}, "Task stopped: container web ended with status 1", "3 tasks of this deployment stopped for the same reason"},
		"image missing": {func(a *account) {
			a.starting("IN_PROGRESS")
			a.stop(1, map[string]any{"stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError: registry.test/web:v1: not found"})
		}, Config{}, "Task stopped: CannotPullContainerError: registry.test/web:v1: not found", "The registry has no such image"},
		"circuit breaker": {func(a *account) {
			a.starting("FAILED")
			a.crash(137)
		}, Config{}, "Task stopped: container web ended with status 137", "ECS has given up: ECS deployment circuit breaker"},
		"circuit breaker without tasks": {func(a *account) { a.starting("FAILED") }, Config{}, "Tasks do not start", "has started 1 tasks"},
		"no such task role":             {func(*account) {}, Config{TaskRoleName: "app"}, `There is no role "app"`, "task_role_policy_arns"},
		"no such machines":              {func(*account) {}, Config{EC2Cluster: true, Cluster: "metal"}, `There is no cluster "metal"`, "make it before"},
		"role unknown for a while": {func(a *account) {
			tries := 0
			a.answers["RegisterTaskDefinition"] = func(map[string]any) (int, map[string]any) {
				if tries++; tries > 2 {
					return 0, nil
				}
				return 400, map[string]any{"__type": "ClientException", "message": "Role is not valid"}
			}
		}, Config{}, "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t, moto)
			c.prepare(a)
			c.cfg.Memory, c.cfg.DisableALB = 512, true
			p := openOn(t, a, c.cfg)
			began := time.Now()
			made, err := p.Deploy(t.Context(), component.DeployRequest[artifact.Image]{Artifact: image('a'), DeployInput: in})
			problem, _ := errors.AsType[*diag.Problem](err)
			switch {
			case c.summary == "" && err != nil:
				t.Fatal(err)
			case c.summary != "" && (problem == nil || problem.Summary != c.summary || !strings.Contains(problem.Detail, c.says)):
				t.Errorf("Deploy = %v: %+v, want %q that says %q", err, problem, c.summary, c.says)
			}
			t.Logf("failed after %s", time.Since(began))
			if err := p.Destroy(t.Context(), component.Target[Deployment]{App: app, ID: "web-1", Deployment: made}); err != nil {
				t.Error(err)
			}
			if err := p.DestroyShared(t.Context(), app); err != nil {
				t.Error(err)
			}
			if left := a.owner(t).exists(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestLogs reads what two tasks wrote, and how one of them ended.
func TestLogs(t *testing.T) {
	moto := servers.Moto(t, servers.ManagedPolicies, "MOTO_ECS_SERVICE_RUNNING=1")
	a := newAccount(t, moto)
	p := openOn(t, a, Config{Memory: 512, DisableALB: true})
	app := component.App{Project: "acme", Name: "web", Workspace: "default"}
	made := must(p.Deploy(t.Context(), component.DeployRequest[artifact.Image]{
		Artifact: image('a'), DeployInput: component.DeployInput{App: app, ID: "web-1", Sequence: 1},
	}))(t)
	client := cloudwatchlogs.NewFromConfig(a.owner(t).cfg)
	now := time.Now().Add(-time.Minute)
	write := func(stream string, texts ...string) {
		_, err := client.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: new("waypoint-logs"), LogStreamName: &stream})
		if err != nil {
			t.Fatal(err)
		}
		var events []types.InputLogEvent
		for i, text := range texts {
			events = append(events, types.InputLogEvent{Message: &text, Timestamp: new(now.Add(time.Duration(i) * time.Second).UnixMilli())})
		}
		must(client.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: new("waypoint-logs"), LogStreamName: &stream, LogEvents: events}))(t)
	}
	write("web-1/web/aaaa", "one", "two", "three")
	write("web-1/web/bbbb", "eins", "zwei")
	write("web-10/web/cccc", "another deployment's")
	a.stop(1, map[string]any{"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"})

	read := func(req component.LogRequest) string {
		var all []string
		for line, err := range p.Logs(t.Context(), component.Target[Deployment]{App: app, ID: "web-1", Deployment: made}, req) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, line.Instance+": "+line.Text)
		}
		return strings.Join(all, "\n")
	}
	end := "\n: task 00000000: Essential container in task exited"
	if got, want := read(component.LogRequest{}), "web/aaaa: one\nweb/bbbb: eins\nweb/aaaa: two\nweb/bbbb: zwei\nweb/aaaa: three"+end; sorted(got) != sorted(want) {
		t.Errorf("the log is\n%s\nwant\n%s", got, want)
	}
	if got, want := read(component.LogRequest{Tail: 1}), "web/bbbb: zwei\nweb/aaaa: three"+end; got != want {
		t.Errorf("the last lines are\n%s\nwant\n%s", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var followed []string
	for line, err := range p.Logs(ctx, component.Target[Deployment]{App: app, ID: "web-1", Deployment: made}, component.LogRequest{Tail: 1, Follow: true}) {
		if err != nil {
			break
		}
		followed = append(followed, line.Text)
		if len(followed) == 3 {
			write("web-1/web/dddd", "later")
		}
		if line.Text == "later" {
			cancel()
		}
	}
	if len(followed) != 4 {
		t.Errorf("following yields %q, want what came later once", followed)
	}
}

// sorted puts lines in an order that does not depend on the time they bear.
func sorted(text string) string {
	return strings.Join(slices.Sorted(slices.Values(strings.Split(text, "\n"))), "\n")
}
