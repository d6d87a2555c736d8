//go:build servers

package awsecs

import (
	"errors"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// shop is an account with a service that Terraform keeps.
type shop struct {
	*account
	owner
	app component.App
	cfg Config
}

func newShop(t *testing.T, moto *servers.MotoServer) *shop {
	t.Helper()
	a := newAccount(t, moto)
	s := &shop{a, a.owner(t), component.App{Project: "acme", Name: "web", Workspace: "default"}, Config{Service: "shop", Cluster: "prod"}}
	client := ecs.NewFromConfig(s.owner.cfg)
	must(client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: new("prod")}))(t)
	must(client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: new("shop"), Memory: new("512"), Cpu: new("256"), ExecutionRoleArn: new("arn:aws:iam::123456789012:role/theirs"),
		Tags: []types.Tag{{Key: new("team"), Value: new("blue")}},
		ContainerDefinitions: []types.ContainerDefinition{
			{Name: new("web"), Image: new("registry.test/web:old"), Environment: environment(map[string]string{"THEIRS": "x"})},
		},
	}))(t)
	must(client.CreateService(t.Context(), &ecs.CreateServiceInput{
		Cluster: new("prod"), ServiceName: new("shop"), TaskDefinition: new("shop"), DesiredCount: new(int32(1)),
	}))(t)
	return s
}

// open opens the platform.
func (s *shop) open() component.Platform[artifact.Image, Deployment] {
	return openOn(s.t, s.account, s.cfg)
}

func openOn(t *testing.T, a *account, c Config) component.Platform[artifact.Image, Deployment] {
	h := a.host()
	h.Progress = plugintest.Quiet{}
	return must(quick.open(h, c))(t)
}

func (s *shop) request(id string, sequence int, letter byte) component.DeployRequest[artifact.Image] {
	return component.DeployRequest[artifact.Image]{
		Artifact: image(letter),
		DeployInput: component.DeployInput{App: s.app, ID: id, Sequence: sequence, Env: map[string]component.Setting{
			"LEVEL": {Text: "debug"}, "TOKEN": {Text: "s3cret", Sensitive: true},
		}},
	}
}

// runs returns what the service runs: the image, and the tags of the revision.
func (s *shop) runs() (string, map[string]string) {
	client := ecs.NewFromConfig(s.owner.cfg)
	services := must(client.DescribeServices(s.t.Context(), &ecs.DescribeServicesInput{Cluster: new("prod"), Services: []string{"shop"}}))(s.t)
	out := must(client.DescribeTaskDefinition(s.t.Context(), &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: services.Services[0].TaskDefinition, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	}))(s.t)
	return sdk.ToString(out.TaskDefinition.ContainerDefinitions[0].Image), readECS(out.Tags)
}

// found returns the IDs that Find shows.
func (s *shop) found() []string {
	var ids []string
	for _, t := range must(s.open().Find(s.t.Context(), s.app))(s.t) {
		ids = append(ids, t.ID)
	}
	return ids
}

func (s *shop) target(id string, d Deployment) component.Target[Deployment] {
	return component.Target[Deployment]{App: s.app, ID: id, Deployment: d}
}

// TestExistingService leads the life of a service that is somebody else's.
func TestExistingService(t *testing.T) {
	moto := servers.Moto(t, servers.ManagedPolicies, "MOTO_ECS_SERVICE_RUNNING=1")
	for name, test := range map[string]func(*testing.T, *shop){
		"life": lifeOfAService, "killed": killedBetween, "others' revisions": othersRevisions,
		"controllers": refusedControllers, "rolled back": rolledBack,
	} {
		t.Run(name, func(t *testing.T) { test(t, newShop(t, moto)) })
	}
}

func lifeOfAService(t *testing.T, s *shop) {
	before := s.exists()
	plan := must(s.open().Plan(t.Context(), s.request("web-1", 1, 'a')))(t)
	if len(plan.Changes) != 3 || plan.Changes[2].Reason != "runs registry.test/web:old so far" {
		t.Errorf("the plan is %+v", plan)
	}
	if after := s.exists(); !slices.Equal(before, after) {
		t.Fatalf("the plan made something: %q", after)
	}
	first := must(s.open().Deploy(t.Context(), s.request("web-1", 1, 'a')))(t)
	if again := must(s.open().Deploy(t.Context(), s.request("web-1", 1, 'a')))(t); !cmp.Equal(first, again) {
		t.Errorf("deploying again returned %+v, first %+v", again, first)
	}
	if now, tags := s.runs(); now != pinned(image('a')) || tags["team"] != "blue" {
		t.Errorf("the service runs %s with the tags %v", now, tags)
	}
	second := must(s.open().Deploy(t.Context(), s.request("web-2", 2, 'b')))(t)
	if first.Generation() == "" || first.Generation() != second.Generation() {
		t.Errorf("the generations are %q and %q", first.Generation(), second.Generation())
	}
	if got := s.found(); !slices.Equal(got, []string{"web-2"}) {
		t.Errorf("Find shows %q, want the newest", got)
	}
	if health := must(s.open().Status(t.Context(), s.target("web-2", second)))(t); health.State != component.Ready || health.Drift != nil {
		t.Errorf("the status is %+v", health)
	}

	restored := must(s.open().Restore(t.Context(), component.RestoreRequest[Deployment]{
		DeployInput: component.DeployInput{App: s.app, ID: "web-3", Sequence: 3}, From: s.target("web-1", first),
	}))(t)
	if now, _ := s.runs(); now != pinned(image('a')) {
		t.Errorf("after restoring the service runs %s", now)
	}
	// The copy reads the first deployment's secret, which must outlive it.
	for id, d := range map[string]Deployment{"web-1": first, "web-2": second} {
		if err := s.open().Destroy(t.Context(), s.target(id, d)); err != nil {
			t.Fatal(err)
		}
	}
	if left := s.exists(); !slices.ContainsFunc(left, func(arn string) bool { return strings.Contains(arn, "/web-1-") }) ||
		slices.ContainsFunc(left, func(arn string) bool { return strings.Contains(arn, "/web-2-") }) {
		t.Errorf("what is left is %q, want the secret of web-1 and not that of web-2", left)
	}

	if err := errors.Join(s.open().Destroy(t.Context(), s.target("web-3", restored)), s.open().DestroyShared(t.Context(), s.app)); err != nil {
		t.Fatal(err)
	}
	now, tags := s.runs()
	if now != pinned(image('a')) || len(tags) != 1 || tags["team"] != "blue" {
		t.Errorf("after destroying the service runs %s with the tags %v, want the same without ours", now, tags)
	}
	if health := must(s.open().Status(t.Context(), s.target("web-3", restored)))(t); health.State != component.Missing || len(s.found()) > 0 {
		t.Errorf("after destroying the status is %+v, and Find shows %q", health, s.found())
	}
	for _, call := range s.bodies {
		if strings.Contains(call, "s3cret") && !strings.HasPrefix(call, "CreateSecret ") && !strings.HasPrefix(call, "PutSecretValue ") {
			t.Errorf("a secret is in a call: %s", strings.ReplaceAll(call, "s3cret", "***"))
		}
		if strings.HasPrefix(call, "DeleteService ") || strings.HasPrefix(call, "TagResource ") {
			t.Errorf("the service was changed: %s", call)
		}
	}
}

// killedBetween cuts a deploy off before each of its changes, and removes what
// there is by what Find shows.
func killedBetween(t *testing.T, s *shop) {
	before := s.exists()
	for _, operation := range []string{"CreateSecret", "RegisterTaskDefinition", "UpdateService"} {
		s.answers[operation] = func(map[string]any) (int, map[string]any) {
			return 400, map[string]any{"__type": "AccessDeniedException", "message": "not now"}
		}
		if _, err := s.open().Deploy(t.Context(), s.request("web-1", 1, 'a')); err == nil {
			t.Fatalf("a deploy without %s succeeded", operation)
		}
		delete(s.answers, operation)
		for _, id := range s.found() {
			if err := s.open().Destroy(t.Context(), s.target(id, Deployment{})); err != nil {
				t.Fatal(err)
			}
		}
		if after := s.exists(); !slices.Equal(before, after) {
			t.Errorf("cut off at %s and removed, there is %q, want %q", operation, after, before)
		}
	}
	if now, _ := s.runs(); now != "registry.test/web:old" {
		t.Errorf("the service runs %s", now)
	}
}

// othersRevisions destroys by records that name what is not ours.
func othersRevisions(t *testing.T, s *shop) {
	d := must(s.open().Deploy(t.Context(), s.request("web-1", 1, 'a')))(t)
	before := s.exists()
	_, tags := s.runs()
	forged := s.target("web-1", d)
	forged.App.Workspace = "staging"
	if err := errors.Join(
		s.open().Destroy(t.Context(), forged), s.open().Destroy(t.Context(), s.target("web-9", d)), s.open().DestroyShared(t.Context(), forged.App),
	); err != nil {
		t.Fatal(err)
	}
	_, now := s.runs()
	if after := s.exists(); !slices.Equal(before, after) || !cmp.Equal(tags, now) {
		t.Errorf("forged records changed %q to %q, %v to %v", before, after, tags, now)
	}
	if _, err := s.open().Restore(t.Context(), component.RestoreRequest[Deployment]{
		DeployInput: component.DeployInput{App: s.app, ID: "web-3"}, From: forged,
	}); err != nil {
		t.Fatal(err)
	}
	forged.ID = "web-9"
	if _, err := s.open().Restore(t.Context(), component.RestoreRequest[Deployment]{
		DeployInput: component.DeployInput{App: s.app, ID: "web-4"}, From: forged,
	}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("restoring what is not there: %v", err)
	}
}

// refusedControllers changes nothing of a service that ECS does not roll out.
func refusedControllers(t *testing.T, s *shop) {
	s.edits["DescribeServices"] = func(out map[string]any) {
		for _, service := range objects(out["services"]) {
			service["deploymentController"] = map[string]any{"type": "CODE_DEPLOY"}
		}
	}
	_, err := s.open().Deploy(t.Context(), s.request("web-1", 1, 'a'))
	problem, _ := errors.AsType[*diag.Problem](err)
	if problem == nil || problem.Summary != `Service "shop" is deployed by the controller CODE_DEPLOY` || len(s.bodies) > 0 {
		t.Errorf("Deploy = %v, with the changes %q", err, s.bodies)
	}
	s.cfg.Service = "shpo"
	_, err = s.open().Deploy(t.Context(), s.request("web-1", 1, 'a'))
	if problem, _ := errors.AsType[*diag.Problem](err); problem == nil || !strings.Contains(problem.Detail, `"shop"`) {
		t.Errorf("Deploy to a service that is not there = %v, want the near name", err)
	}
}

// rolledBack has the circuit breaker put back what ran before.
func rolledBack(t *testing.T, s *shop) {
	s.edits["DescribeServices"] = func(out map[string]any) {
		for _, service := range objects(out["services"]) {
			if arn, _ := service["taskDefinition"].(string); strings.HasSuffix(arn, ":2") {
				old := strings.TrimSuffix(arn, "2") + "1"
				service["taskDefinition"], service["events"] = old, []any{map[string]any{"message": "(service shop) rolling back to deployment ecs-svc/1."}}
				for _, d := range objects(service["deployments"]) {
					d["taskDefinition"] = old
				}
			}
		}
	}
	s.crash(3)
	_, err := s.open().Deploy(t.Context(), s.request("web-1", 1, 'a'))
	problem, _ := errors.AsType[*diag.Problem](err)
	if problem == nil || problem.Summary != "Task stopped: container web ended with status 3" ||
		!strings.Contains(problem.Detail, "has put shop:1 back, which serves") || !strings.Contains(problem.Detail, "rolling back to deployment") {
		t.Errorf("Deploy = %v, want the crash, and what serves", problem)
	}
}
