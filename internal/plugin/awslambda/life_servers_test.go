//go:build servers

package awslambda

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

var app = component.App{Project: "shop", Name: "web", Workspace: "default"}

// TestLives shares one server, which is slow to start.
func TestLives(t *testing.T) {
	t.Parallel()
	moto := servers.Moto(t, servers.ManagedPolicies)
	for name, run := range map[string]func(*testing.T, *account, *bridge){
		"calls":               countsCalls,
		"other function":      otherFunction,
		"other role":          otherRole,
		"no such role":        noSuchRole,
		"role not known yet":  roleNotKnownYet,
		"refused for a while": refusedForAWhile,
		"changed by others":   changedByOthers,
		"states":              waitsForStates,
		"failed version":      failedVersion,
		"image not taken":     imageNotTaken,
		"files":               deploysFiles,
		"kind changes":        kindChanges,
		"logs":                readsLogs,
		"version in use":      versionInUse,
		"target group gone":   groupGone,
		"previews":            previews,
		"policy":              needsItsPolicy,
	} {
		t.Run(name, func(t *testing.T) {
			b := &bridge{}
			a := newAccount(t, moto)
			a.empty()
			a.host.HTTP = &http.Client{Transport: b}
			run(t, a, b)
		})
	}
}

// request is for a deployment of an image.
func request(id string) component.DeployRequest[artifact.Artifact] {
	return component.DeployRequest[artifact.Artifact]{Artifact: firstImage, DeployInput: component.DeployInput{App: app, ID: id, Sequence: 1}}
}

// plain is a configuration without target groups.
var plain = Config{TargetGroup: new(false)}

// deploy makes a deployment with nothing going wrong.
func (a *account) deploy(cfg Config, req component.DeployRequest[artifact.Artifact]) component.Target[Deployment] {
	a.t.Helper()
	made, err := opened(a.t, a.host, cfg).Deploy(a.t.Context(), req)
	a.must(err)
	return component.Target[Deployment]{App: req.App, ID: req.ID, Sequence: req.Sequence, Deployment: made}
}

func countsCalls(t *testing.T, a *account, b *bridge) {
	again, other := request("web-2"), request("web-3")
	other.Artifact = secondImage
	for _, c := range []struct {
		what string
		cfg  Config
		req  component.DeployRequest[artifact.Artifact]
		most int
	}{
		{"the first deploy", plain, request("web-1"), 7},
		{"a deploy of the same image", plain, again, 4},
		{"a deploy of another image", plain, other, 5},
		{"a deploy with a target group", Config{}, request("web-4"), 9},
	} {
		b.calls()
		a.deploy(c.cfg, c.req)
		calls := b.calls()
		t.Logf("%s: %d calls", c.what, len(calls))
		if len(calls) > c.most {
			t.Errorf("%s makes %d calls, more than %d: %q", c.what, len(calls), c.most, calls)
		}
	}
	if !strings.Contains(b.bodies["POST functions"], `"EphemeralStorage":{"Size":512}`) {
		t.Errorf("the function is created without its storage: %s", b.bodies["POST functions"])
	}
	for _, want := range []string{`"Architectures":["x86_64"]`, firstImage.Digest} {
		if !strings.Contains(b.bodies["PUT code"], want) {
			t.Errorf("the code is changed without %s: %s", want, b.bodies["PUT code"])
		}
	}
}

func otherFunction(t *testing.T, a *account, _ *bridge) {
	role, err := a.ensureRole(t.Context(), component.App{Name: "theirs"})
	a.must(err)
	_, err = a.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &app.Name, Role: &role, PackageType: types.PackageTypeImage, Code: &types.FunctionCode{ImageUri: new(repository + ":1")},
		Tags: map[string]string{"waypoint.app": "web"},
	})
	a.must(err)
	_, err = a.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: &app.Name, Description: new(describe("web-1", 1))})
	a.must(err)
	lonely := app // moto keeps the tags of a log group that was removed
	lonely.Name = "lonely"
	_, err = a.logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: new(logGroup("lonely"))})
	a.must(err)
	before := a.exists()

	p := opened(t, a.host, plain)
	_, err = p.Plan(t.Context(), request("web-1"))
	wantProblem(t, err, `another function "web"`, "function_name", "deploy-action.dev/app=web")
	made, err := p.Deploy(t.Context(), request("web-1"))
	wantProblem(t, err, `another function "web"`, "function_name", "not touched")
	if made.Name != "" {
		t.Errorf("Deploy() returns %+v, want nothing", made)
	}
	forged := component.Target[Deployment]{App: app, ID: "web-1", Deployment: Deployment{Name: "web", Version: "1"}}
	a.must(p.Destroy(t.Context(), forged))
	a.must(errors.Join(p.DestroyShared(t.Context(), app), p.DestroyShared(t.Context(), lonely)))
	if found, err := p.Find(t.Context(), app); err != nil || len(found) > 0 {
		t.Errorf("Find() = %v, %v, want nothing", found, err)
	}
	if after := a.exists(); !slices.Equal(before, after) {
		t.Errorf("there was %q, and now there is %q", before, after)
	}
}

func otherRole(t *testing.T, a *account, _ *bridge) {
	name := roleName(app)
	_, err := a.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: new(trust)})
	a.must(err)
	p := opened(t, a.host, plain)
	_, err = p.Deploy(t.Context(), request("web-1"))
	wantProblem(t, err, "another role", "iam_role", "not touched")
	a.must(p.DestroyShared(t.Context(), app))
	if left := a.exists(); !slices.Equal(left, []string{"role " + name}) {
		t.Errorf("there is %q, want the role alone", left)
	}
}

func noSuchRole(t *testing.T, a *account, _ *bridge) {
	cfg := plain
	cfg.IAMRole = "arn:aws:iam::123456789012:role/missing"
	_, err := opened(t, a.host, cfg).Deploy(t.Context(), request("web-1"))
	wantProblem(t, err, "cannot run the function as its role", "iam_role", "lambda.amazonaws.com")
}

// roleNotKnownYet deploys with a new role, and then gives the function another.
func roleNotKnownYet(t *testing.T, a *account, b *bridge) {
	refused := rule{asks: "POST functions", times: 2, code: "InvalidParameterValueException", message: "The role defined for the function cannot be assumed by Lambda."}
	b.rules = append(b.rules, &refused)
	a.deploy(plain, request("web-1"))
	role, err := a.ensureRole(t.Context(), component.App{Name: "theirs"})
	a.must(err)
	cfg := plain
	cfg.IAMRole = role
	a.deploy(cfg, request("web-2"))
	found, err := a.look(t.Context(), "web")
	a.must(err)
	if *found.Role != role {
		t.Errorf("the function runs as %s, want %s", *found.Role, role)
	}
	a.deploy(plain, request("web-3"))
	found, err = a.look(t.Context(), "web")
	a.must(err)
	if !strings.HasSuffix(*found.Role, roleName(app)) {
		t.Errorf("the function runs as %s, want the role made for it", *found.Role)
	}
}

// refusedForAWhile meets other changes of the function, throttling, and a
// revision that Lambda counted itself.
func refusedForAWhile(t *testing.T, a *account, b *bridge) {
	b.rules = []*rule{
		{asks: "POST versions", times: 1, code: "PreconditionFailedException", message: "The Revision Id provided does not match"},
		{asks: "POST versions", times: 1, code: "TooManyRequestsException", message: "Rate exceeded"},
	}
	a.deploy(plain, request("web-1"))
	b.rules = append(b.rules, &rule{asks: "PUT configuration", times: 1, code: "ResourceConflictException", message: "An update is in progress"})
	a.deploy(plain, request("web-2"))
	if found, err := opened(t, a.host, plain).Find(t.Context(), app); err != nil || len(found) != 2 {
		t.Errorf("Find() = %v, %v, want two deployments", found, err)
	}
}

func changedByOthers(t *testing.T, a *account, b *bridge) {
	b.rules = []*rule{
		{asks: "POST versions", times: 1, code: "PreconditionFailedException", message: "The Revision Id provided does not match"},
		{asks: "GET configuration", edit: func(c map[string]any) { c["Description"] = "deployed by hand" }},
	}
	made, err := opened(t, a.host, plain).Deploy(t.Context(), request("web-1"))
	wantProblem(t, err, "Somebody else changed the function web", "", "deployed by hand")
	if made.Name != "web" || made.Version != "" {
		t.Errorf("Deploy() returns %+v, want a function without a version", made)
	}
}

// waitsForStates deploys where Lambda takes its time.
func waitsForStates(t *testing.T, a *account, b *bridge) {
	pending := func(c map[string]any) { c["State"] = "Pending" }
	changing := func(c map[string]any) { c["LastUpdateStatus"] = "InProgress" }
	b.rules = []*rule{{asks: "POST functions", edit: pending}, {asks: "GET configuration", times: 1, edit: pending}, {asks: "POST versions", times: 1, edit: pending}}
	a.deploy(plain, request("web-1"))
	want := []string{"POST functions", "GET configuration", "GET configuration", "POST versions", "GET configuration"}
	if calls := b.calls(); !slices.Equal(calls[len(calls)-len(want):], want) {
		t.Errorf("a first deploy asks %q, want %q at its end", calls, want)
	}
	b.rules = []*rule{{asks: "PUT configuration", edit: changing}, {asks: "PUT code", edit: changing}}
	next := request("web-2")
	next.Artifact = secondImage
	a.deploy(plain, next)
	want = []string{"PUT configuration", "GET configuration", "PUT code", "GET configuration", "POST versions"}
	if calls := b.calls(); !slices.Equal(calls[len(calls)-len(want):], want) {
		t.Errorf("a second deploy asks %q, want %q at its end", calls, want)
	}
}

func failedVersion(t *testing.T, a *account, b *bridge) {
	b.rules = []*rule{{asks: "POST versions", edit: func(c map[string]any) {
		c["State"], c["StateReason"], c["StateReasonCode"] = "Failed", "Lambda cannot find the image.", "ImageDeleted"
	}}}
	p := opened(t, a.host, plain)
	made, err := p.Deploy(t.Context(), request("web-1"))
	wantProblem(t, err, "The function cannot start: Lambda cannot find the image", "", "lifecycle rule")
	if made.Version != "1" {
		t.Errorf("Deploy() returns %+v beside the error, want version 1", made)
	}
	a.must(p.Destroy(t.Context(), component.Target[Deployment]{App: app, ID: "web-1", Deployment: made}))
	if found, err := p.Find(t.Context(), app); err != nil || len(found) > 0 {
		t.Errorf("Find() = %v, %v, want nothing", found, err)
	}
}

func imageNotTaken(t *testing.T, a *account, b *bridge) {
	const message = "The image manifest, config or layer media type for the source image is not supported."
	b.rules = []*rule{{asks: "POST functions", code: "InvalidParameterValueException", message: message}}
	_, err := opened(t, a.host, plain).Deploy(t.Context(), request("web-1"))
	wantProblem(t, err, "does not take the image", "", "zstd")
}

func deploysFiles(t *testing.T, a *account, b *bridge) {
	dir := t.TempDir()
	a.must(os.WriteFile(filepath.Join(dir, "bootstrap"), []byte("#!/bin/sh\n"), 0o700))
	cfg := Config{TargetGroup: new(false), Runtime: "provided.al2023", Handler: "bootstrap", Architecture: "arm64"}
	first, again := request("web-1"), request("web-2")
	first.Artifact, again.Artifact = artifact.Files{Path: dir}, artifact.Files{Path: dir}
	target := a.deploy(cfg, first)
	a.deploy(cfg, again)
	if calls := b.calls(); slices.Contains(calls, "PUT code") {
		t.Errorf("the same files are sent again: %q", calls)
	}
	a.must(os.WriteFile(filepath.Join(dir, "bootstrap"), []byte("#!/bin/bash\n"), 0o700))
	changed := request("web-3")
	changed.Artifact = artifact.Files{Path: dir}
	a.deploy(cfg, changed)
	if calls := b.calls(); !slices.Contains(calls, "PUT code") {
		t.Errorf("other files are not sent: %q", calls)
	}
	health, err := opened(t, a.host, cfg).Status(t.Context(), target)
	if err != nil || health.State != component.Ready || len(health.Drift) > 0 {
		t.Errorf("Status() = %+v, %v, want ready without drift", health, err)
	}
}

func kindChanges(t *testing.T, a *account, _ *bridge) {
	a.deploy(plain, request("web-1"))
	files := request("web-2")
	files.Artifact = artifact.Files{Path: t.TempDir()}
	_, err := opened(t, a.host, Config{Runtime: "nodejs22.x", Handler: "index.handler"}).Plan(t.Context(), files)
	wantProblem(t, err, "takes an image, and the build makes files", "function_name", "destroy")
}

func readsLogs(t *testing.T, a *account, _ *bridge) {
	first := a.deploy(plain, request("web-1"))
	a.deploy(plain, request("web-2"))
	began := time.Now().Add(-time.Minute)
	for stream, texts := range map[string][]string{
		"2026/01/02/[1]aaa": {"one", "three"}, "2026/01/02/[1]bbb": {"two"}, "2026/01/02/[2]ccc": {"of another version"},
	} {
		_, err := a.logs.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: new(logGroup("web")), LogStreamName: &stream})
		a.must(err)
		var events []logstypes.InputLogEvent
		for _, text := range texts {
			at := map[string]int{"one": 1, "two": 2, "three": 3}[text]
			events = append(events, logstypes.InputLogEvent{Message: new(text + "\n"), Timestamp: new(began.Add(time.Duration(at) * time.Second).UnixMilli())})
		}
		_, err = a.logs.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: new(logGroup("web")), LogStreamName: &stream, LogEvents: events})
		a.must(err)
	}
	for name, c := range map[string]struct {
		request component.LogRequest
		want    []string
	}{
		"all":      {component.LogRequest{}, []string{"aaa one", "bbb two", "aaa three"}},
		"the last": {component.LogRequest{Tail: 1}, []string{"bbb two", "aaa three"}},
		"since":    {component.LogRequest{Since: began.Add(2500 * time.Millisecond)}, []string{"aaa three"}},
	} {
		var got []string
		for line, err := range opened(t, a.host, plain).Logs(t.Context(), first, c.request) {
			a.must(err)
			got = append(got, line.Instance+" "+line.Text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: Logs() = %q, want %q", name, got, c.want)
		}
	}
}

// versionInUse destroys what an alias points to. AWS refuses that, moto does not.
func versionInUse(t *testing.T, a *account, b *bridge) {
	target := a.deploy(plain, request("web-1"))
	_, err := a.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: &app.Name, Name: new("live"), FunctionVersion: new("1")})
	a.must(err)
	b.rules = []*rule{{asks: "DELETE web", times: 1, code: "ResourceConflictException", message: "Version is referenced by an alias"}}
	p := opened(t, a.host, plain)
	wantProblem(t, p.Destroy(t.Context(), target), "Version 1 of web still gets traffic", "", "alias live")
	a.must(p.DestroyShared(t.Context(), app))
	if left := a.exists(); len(left) > 0 {
		t.Errorf("there is %q left", left)
	}
}

// groupGone takes the target group away by hand.
func groupGone(t *testing.T, a *account, _ *bridge) {
	target := a.deploy(Config{}, request("web-1"))
	group, region := target.Deployment.TargetGroup()
	if group == "" || region != "us-east-1" {
		t.Fatalf("TargetGroup() = %q, %q", group, region)
	}
	p := opened(t, a.host, Config{})
	if health, err := p.Status(t.Context(), target); err != nil || health.State != component.Ready || len(health.Drift) > 0 {
		t.Errorf("Status() = %+v, %v, want ready without drift", health, err)
	}
	_, err := a.elb.DeleteTargetGroup(t.Context(), &elbv2.DeleteTargetGroupInput{TargetGroupArn: &group})
	a.must(err)
	health, err := p.Status(t.Context(), target)
	if err != nil || len(health.Drift) != 1 || health.Drift[0].Subject != "target-group/web-1" {
		t.Errorf("Status() = %+v, %v, want the target group to be missing", health, err)
	}
}

// previews opens pull requests and closes them.
func previews(t *testing.T, a *account, _ *bridge) {
	var all []component.Target[Deployment]
	for _, workspace := range []string{"pr-1", "pr-2"} {
		req := request("web-" + workspace)
		req.App.Workspace = workspace
		all = append(all, a.deploy(plain, req))
	}
	p := opened(t, a.host, plain)
	a.must(errors.Join(p.Destroy(t.Context(), all[0]), p.DestroyShared(t.Context(), all[0].App)))
	if health, err := p.Status(t.Context(), all[1]); err != nil || health.State != component.Ready {
		t.Errorf("the other preview: Status() = %+v, %v, want ready", health, err)
	}
	a.must(errors.Join(p.Destroy(t.Context(), all[1]), p.DestroyShared(t.Context(), all[1].App)))
	if left := a.exists(); len(left) > 0 {
		t.Errorf("there is %q left", left)
	}
}
