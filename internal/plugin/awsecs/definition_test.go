package awsecs

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

func newWork(c Config) *work {
	return &work{
		client: &client{region: "eu-west-1"}, cfg: c, cluster: c.cluster(),
		app: component.App{Project: "shop", Name: "web", Workspace: "default"},
	}
}

func request(env map[string]component.Setting) component.DeployRequest[artifact.Image] {
	return component.DeployRequest[artifact.Image]{
		Artifact:    artifact.Image{Repository: "registry.test/web", Tag: "v1", Digest: "sha256:aa", Architecture: "arm64"},
		DeployInput: component.DeployInput{ID: "web-abc", Sequence: 3, Env: env},
	}
}

const secretARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:deploy-action/web/web-abc-x1y2z3"

func TestDefinition(t *testing.T) {
	t.Parallel()
	w := newWork(Config{
		Memory: 2048, ServicePort: 8080,
		StaticEnvironment: map[string]string{"MODE": "plain", "TOKEN": "overridden", "LEVEL": "info"},
		Secrets:           map[string]string{"KEY": "arn:aws:ssm:eu-west-1:123456789012:parameter/key"},
		Logging:           &Logging{StreamPrefix: "shop", Mode: "non-blocking", MaxBufferSize: "1m"},
		Sidecars: []Sidecar{{
			Name: "proxy", Image: "envoy:1", Memory: 256, ContainerPort: 9901, HealthCheck: &SidecarCheck{Command: []string{"curl localhost"}, Retries: 2},
		}},
	})
	in := w.definition(request(map[string]component.Setting{
		"TOKEN": {Text: "s3cret", Sensitive: true}, "LEVEL": {Text: "debug"},
	}), parts{execution: "arn:execution", task: "arn:task", secret: secretARN})

	app := in.ContainerDefinitions[0]
	env, secrets := map[string]string{}, map[string]string{}
	for _, v := range app.Environment {
		env[*v.Name] = *v.Value
	}
	for _, s := range app.Secrets {
		secrets[*s.Name] = *s.ValueFrom
	}
	got := map[string]any{
		"env": env, "secrets": secrets, "image": *app.Image, "memory": *in.Memory, "cpu": *in.Cpu, "arch": in.RuntimePlatform.CpuArchitecture,
		"prefix": app.LogConfiguration.Options["awslogs-stream-prefix"], "mode": app.LogConfiguration.Options["mode"],
		"sidecar essential": *in.ContainerDefinitions[1].Essential, "check": in.ContainerDefinitions[1].HealthCheck.Command,
		"sequence": readECS(in.Tags)["deploy-action.dev/sequence"], "kinds": in.RequiresCompatibilities, "task": *in.TaskRoleArn,
	}
	want := map[string]any{
		"env":     map[string]string{"PORT": "8080", "MODE": "plain", "LEVEL": "debug"},
		"secrets": map[string]string{"TOKEN": secretARN + ":TOKEN::", "KEY": "arn:aws:ssm:eu-west-1:123456789012:parameter/key"},
		"image":   "registry.test/web@sha256:aa", "memory": "2048", "cpu": "256", "arch": types.CPUArchitectureArm64,
		"prefix": "shop/web-abc", "mode": "non-blocking", "sidecar essential": false, "check": []string{"CMD-SHELL", "curl localhost"},
		"sequence": "3", "kinds": []types.Compatibility{types.CompatibilityFargate}, "task": "arn:task",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the definition (-want +got):\n%s", diff)
	}
	for _, c := range in.ContainerDefinitions {
		for _, v := range c.Environment {
			if strings.Contains(*v.Value, "s3cret") {
				t.Errorf("%s is in clear", *v.Name)
			}
		}
	}
}

// TestReplaced changes the image and the variables of one container, and keeps
// all else.
func TestReplaced(t *testing.T) {
	t.Parallel()
	w := newWork(Config{Service: "shop"})
	base := &revision{
		tags: map[string]string{"team": "blue", "aws:created": "x", "deploy-action.dev/deployment": "web-old"},
		def: &types.TaskDefinition{
			Family: new("shop"), Memory: new("1024"), ExecutionRoleArn: new("arn:execution"),
			ContainerDefinitions: []types.ContainerDefinition{
				{Name: new("proxy"), Image: new("envoy:1")},
				{
					Name: new("web"), Image: new("registry.test/web:old"), Command: []string{"serve"},
					DockerLabels: map[string]string{"team": "blue", labelVariables: "OLD,LEVEL,OLDSECRET"},
					Environment:  environment(map[string]string{"OLD": "1", "LEVEL": "info", "THEIRS": "x"}),
					Secrets:      referenced(map[string]string{"OLDSECRET": "arn:ours", "THEIRSECRET": "arn:theirs"}),
				},
			},
		},
	}
	c := &current{revision: base, container: 1}
	in := w.replaced(c, request(map[string]component.Setting{"LEVEL": {Text: "debug"}, "TOKEN": {Text: "s3cret", Sensitive: true}}), secretARN)

	got := in.ContainerDefinitions[1]
	want := types.ContainerDefinition{
		Name: new("web"), Image: new("registry.test/web@sha256:aa"), Command: []string{"serve"},
		DockerLabels: map[string]string{"team": "blue", labelVariables: "LEVEL,TOKEN"},
		Environment:  []types.KeyValuePair{{Name: new("THEIRS"), Value: new("x")}, {Name: new("LEVEL"), Value: new("debug")}},
		Secrets: []types.Secret{
			{Name: new("THEIRSECRET"), ValueFrom: new("arn:theirs")}, {Name: new("TOKEN"), ValueFrom: new(secretARN + ":TOKEN::")},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the container is %+v, want %+v", got, want)
	}
	if *in.ContainerDefinitions[0].Image != "envoy:1" || *base.def.ContainerDefinitions[1].Image != "registry.test/web:old" {
		t.Error("another container, or what the service runs, was changed")
	}
	if tags := readECS(in.Tags); tags["team"] != "blue" || tags["aws:created"] != "" || tags["deploy-action.dev/deployment"] != "web-abc" {
		t.Errorf("the revision has the tags %v", tags)
	}
}

// TestCopiedIsWhole fails when ECS learns something new of task definitions that
// copies would lose.
func TestCopiedIsWhole(t *testing.T) {
	t.Parallel()
	def := &types.TaskDefinition{}
	input, source := reflect.TypeFor[ecs.RegisterTaskDefinitionInput](), reflect.ValueOf(def).Elem()
	var same []string
	for i := range input.NumField() {
		name := input.Field(i).Name
		field := source.FieldByName(name)
		if !field.IsValid() || !input.Field(i).IsExported() || name == "InferenceAccelerators" { // which AWS has given up
			continue
		}
		same = append(same, name)
		switch field.Kind() {
		case reflect.Pointer:
			field.Set(reflect.New(field.Type().Elem()))
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case reflect.String:
			field.SetString("x")
		}
	}
	copied := reflect.ValueOf(newWork(Config{}).copied(def, map[string]string{}, "web-abc", 1)).Elem()
	for _, name := range same {
		if copied.FieldByName(name).IsZero() {
			t.Errorf("a copy of a task definition loses its %s", name)
		}
	}
	if len(same) < 15 {
		t.Errorf("only %q are compared", same)
	}
}

func TestContainerOf(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		want  string
		names []string
		at    int
		says  string
	}{
		"the only one":     {"", []string{"main"}, 0, ""},
		"named as the app": {"", []string{"proxy", "web"}, 1, ""},
		"named":            {"main", []string{"proxy", "main"}, 1, ""},
		"several":          {"", []string{"proxy", "main"}, 0, `the containers "proxy", "main"`},
		"mistyped":         {"mian", []string{"proxy", "main"}, 0, `"main"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &revision{def: &types.TaskDefinition{}}
			for _, n := range c.names {
				r.def.ContainerDefinitions = append(r.def.ContainerDefinitions, types.ContainerDefinition{Name: new(n)})
			}
			at, err := newWork(Config{Service: "shop", Container: c.want}).containerOf(r)
			if c.says == "" {
				if err != nil || at != c.at {
					t.Errorf("containerOf = %d, %v, want %d", at, err, c.at)
				}
				return
			}
			if all := problems(err); len(all) != 1 || !strings.Contains(all[0].Detail, c.says) || all[0].Attr != "container" {
				t.Errorf("containerOf = %v, want a problem that says %q", err, c.says)
			}
		})
	}
}

func TestDeployable(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		s    types.Service
		says string
	}{
		"usual":       {types.Service{}, ""},
		"ECS":         {types.Service{DeploymentController: &types.DeploymentController{Type: "ECS"}}, ""},
		"rolling":     {types.Service{DeploymentConfiguration: &types.DeploymentConfiguration{Strategy: "ROLLING"}}, ""},
		"CodeDeploy":  {types.Service{DeploymentController: &types.DeploymentController{Type: "CODE_DEPLOY"}}, "the controller CODE_DEPLOY"},
		"external":    {types.Service{DeploymentController: &types.DeploymentController{Type: "EXTERNAL"}}, "the controller EXTERNAL"},
		"blue/green":  {types.Service{DeploymentConfiguration: &types.DeploymentConfiguration{Strategy: "BLUE_GREEN"}}, "the strategy BLUE_GREEN"},
		"ECS' canary": {types.Service{DeploymentConfiguration: &types.DeploymentConfiguration{Strategy: "CANARY"}}, "the strategy CANARY"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.s.ServiceName = new("shop")
			err := deployable(&c.s)
			if c.says == "" && err != nil || c.says != "" && (len(problems(err)) != 1 || !strings.Contains(problems(err)[0].Summary, c.says)) {
				t.Errorf("deployable = %v, want %q", err, c.says)
			}
		})
	}
}

func TestSecretARNs(t *testing.T) {
	t.Parallel()
	c := Config{
		Secrets: map[string]string{
			"A": "arn:aws:secretsmanager:eu-west-1:1:secret:db-x1:password::", "B": "arn:aws:secretsmanager:eu-west-1:1:secret:db-x1:user::",
			"C": "arn:aws:ssm:eu-west-1:1:parameter/c",
		},
		Sidecars: []Sidecar{{Secrets: map[string]string{"D": "arn:aws:ssm:eu-west-1:1:parameter/d"}}},
	}
	want := []string{"arn:aws:secretsmanager:eu-west-1:1:secret:db-x1", "arn:aws:ssm:eu-west-1:1:parameter/c", "arn:aws:ssm:eu-west-1:1:parameter/d"}
	if got := c.secretARNs(); !slices.Equal(got, want) {
		t.Errorf("secretARNs() = %q, want %q", got, want)
	}
}

// stopped is a task that ended.
func stopped(code types.TaskStopCode, reason string, containers ...types.Container) types.Task {
	return types.Task{StopCode: code, StoppedReason: &reason, Containers: containers, TaskArn: new("arn:aws:ecs:eu-west-1:1:task/waypoint/0123")}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	exited := func(status int32, reason string) types.Task {
		c := types.Container{Name: new("web"), ExitCode: &status}
		if reason != "" {
			c.Reason = &reason
		}
		return stopped(types.TaskStopCodeEssentialContainerExited, "Essential container in task exited", c)
	}
	pull := func(text string) types.Task { return stopped(types.TaskStopCodeTaskFailedToStart, text) }
	cases := map[string]struct {
		tasks         []types.Task
		hopeless      bool
		summary, says string
	}{
		"one crash":     {[]types.Task{exited(1, "")}, false, "Task stopped: container web ended with status 1", "What it wrote last"},
		"crash loop":    {[]types.Task{exited(1, ""), exited(1, ""), exited(1, "")}, true, "Task stopped: container web ended with status 1", "container web: status 1"},
		"mixed":         {[]types.Task{exited(1, ""), exited(2, ""), exited(1, "")}, false, "status 1", "status 2"},
		"out of memory": {[]types.Task{exited(137, "OutOfMemoryError: Container killed due to memory usage")}, false, "Task stopped: OutOfMemoryError", "more `memory`"},
		"no such image": {
			[]types.Task{pull("CannotPullContainerError: pull image manifest has been retried 1 time(s): registry.test/web:v1: not found")},
			true, "Task stopped: CannotPullContainerError", "The registry has no such image",
		},
		"unreachable registry": {
			[]types.Task{pull("CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout")}, false, "CannotPullContainerError", "must reach the registry",
		},
		"secret denied": {
			[]types.Task{pull("ResourceInitializationError: unable to pull secrets or registry auth: AccessDeniedException")},
			false, "ResourceInitializationError", "allowed to read the secret",
		},
		"other architecture": {
			[]types.Task{pull("CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'")}, true, "matching platform", "set `architecture`",
		},
		"unhealthy": {
			[]types.Task{stopped(types.TaskStopCodeServiceSchedulerInitiated, "Task failed ELB health checks in (target-group arn:x)")},
			false,
			"Task failed ELB health checks", "`health_check`",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := hopeless(c.tasks); got != c.hopeless {
				t.Errorf("hopeless = %v, want %v", got, c.hopeless)
			}
			problem, ok := failure("It failed.", c.tasks, &types.Service{Events: []types.ServiceEvent{{Message: new("(service web) has started 1 tasks")}}}).(*diag.Problem)
			if !ok || !strings.Contains(problem.Summary, c.summary) || !strings.Contains(problem.Detail, c.says) || !strings.Contains(problem.Detail, "has started 1 tasks") {
				t.Errorf("failure = %+v, want %q and %q", problem, c.summary, c.says)
			}
		})
	}
	if failed(stopped(types.TaskStopCodeServiceSchedulerInitiated, "Scaling activity initiated by deployment")) || failed(stopped(types.TaskStopCodeUserInitiated, "")) {
		t.Error("tasks that were no longer wanted count as failed")
	}
}

func TestHealthOf(t *testing.T) {
	t.Parallel()
	service := func(running, desired int32, state types.DeploymentRolloutState) *types.Service {
		return &types.Service{
			RunningCount: running, DesiredCount: desired,
			Deployments: []types.Deployment{{Status: new("PRIMARY"), RunningCount: running, DesiredCount: desired, RolloutState: state}},
		}
	}
	for name, c := range map[string]struct {
		s    *types.Service
		want component.HealthState
	}{
		"all":         {service(2, 2, "COMPLETED"), component.Ready},
		"none wanted": {service(0, 0, "COMPLETED"), component.Ready},
		"half":        {service(1, 2, "COMPLETED"), component.Degraded},
		"none":        {service(0, 2, "COMPLETED"), component.Down},
		"begun":       {service(0, 2, "IN_PROGRESS"), component.Starting},
		"given up":    {service(0, 2, "FAILED"), component.Down},
		"rolled back": {service(2, 2, "FAILED"), component.Degraded},
	} {
		if got := healthOf(c.s); got.State != c.want {
			t.Errorf("%s: healthOf = %+v, want %s", name, got, c.want)
		}
	}
	d := Deployment{TaskDefinition: "arn:aws:ecs:x:1:task-definition/web:3", Count: 2, Target: "arn:tg"}
	s := service(2, 3, "COMPLETED")
	s.TaskDefinition = new("arn:aws:ecs:x:1:task-definition/web:4")
	if changes := drift(d, s); len(changes) != 3 || !strings.Contains(changes[0].Reason, "runs web:4, no longer web:3") {
		t.Errorf("drift = %+v, want the revision, the count and the target group", changes)
	}
}
