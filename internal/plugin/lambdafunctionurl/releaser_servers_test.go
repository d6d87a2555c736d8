//go:build servers

package lambdafunctionurl

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// version is a deployment of any platform that makes functions.
type version struct {
	ARN, Version string
}

func (version) Vars() map[string]cty.Value        { return nil }
func (version) URL() string                       { return "" }
func (version) Generation() string                { return "" }
func (v version) Function() (arn, version string) { return v.ARN, v.Version }

// TestReleases shares one server, which is slow to start.
func TestReleases(t *testing.T) {
	t.Parallel()
	moto := servers.Moto(t, servers.ManagedPolicies)
	role := newAccount(t, moto).makeRole()
	t.Run("contract", func(t *testing.T) { contract(t, moto, role) })
	for name, run := range map[string]func(*testing.T, *account){
		"the URL is the alias's": urlOfTheAlias,
		"what others made stays": othersStay,
		"policy":                 needsItsPolicy,
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t, moto)
			a.role = role
			a.empty()
			run(t, a)
		})
	}
}

// contract releases versions of a platform that has no other use.
func contract(t *testing.T, moto *servers.MotoServer, role string) {
	plugintest.Releaser(t, plugintest.ReleaserCase{
		Plugin: Plugin, RealTime: true, Sample: 3,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			a := newAccount(t, moto)
			a.role = role
			a.empty()
			return plugintest.World{
				Host: a.host, Reads: servers.ReadsAWS, Traffic: a.traffic,
				Config: "cors {\nallow_origins = [\"*\"]\nallow_headers = [\"Content-Type\"]\nmax_age = 60\n}",
			}
		},
		Deploy: func(t *testing.T, w plugintest.World, app component.App, id string) component.Deployment {
			a := newAccount(t, moto)
			a.role = role
			return a.deploy(app, id)
		},
	})
}

// traffic reads where the alias of an app sends calls.
func (a *account) traffic(app component.App) map[string]int {
	a.t.Helper()
	ctx := context.WithoutCancel(a.t.Context())
	name := component.Label(app.Workspace, 60)
	alias, err := a.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &app.Name, Name: &name})
	if gone(err) {
		return nil
	}
	a.must(err)
	now, rest := routed(alias), 100
	shares := map[string]int{}
	for number, share := range now.shares {
		percent := int(math.Round(100 * share))
		shares[a.deployment(app.Name, number)] = percent
		rest -= percent
	}
	shares[a.deployment(app.Name, now.version)] = rest
	return shares
}

// deployment returns the ID that a version was made for.
func (a *account) deployment(function, number string) string {
	a.t.Helper()
	found, err := a.GetFunctionConfiguration(context.WithoutCancel(a.t.Context()), &lambda.GetFunctionConfigurationInput{FunctionName: &function, Qualifier: &number})
	a.must(err)
	return sdk.ToString(found.Description)
}

// urlOfTheAlias sees that nothing is done to the function itself, and that both
// permissions are given.
func urlOfTheAlias(t *testing.T, a *account) {
	app := component.App{Project: "shop", Name: "web", Workspace: "pr-7"}
	target := component.Target[Deployment]{App: app, ID: "web-1", Sequence: 1, Deployment: a.deploy(app, "web-1").(version)}
	made := a.release(Config{}, target)
	if !strings.HasPrefix(made.URL(), "https://") {
		t.Errorf("the URL is %q", made.URL())
	}
	var permitted []string
	for _, call := range a.calls() {
		if strings.HasPrefix(call.path, "/2015-03-31/tags") || call.method == http.MethodGet || strings.HasSuffix(call.path, "/aliases") {
			continue
		}
		if call.qualifier != "pr-7" {
			t.Errorf("%s %s is about %q, want the alias", call.method, call.path, call.qualifier)
		}
		if strings.HasSuffix(call.path, "/policy") {
			permitted = append(permitted, call.body)
		}
	}
	all := strings.Join(permitted, "\n")
	for _, want := range []string{
		`"lambda:InvokeFunctionUrl"`, `"FunctionUrlAuthType":"NONE"`, `"lambda:InvokeFunction"`, `"InvokedViaFunctionUrl":true`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the permissions lack %s: %s", want, all)
		}
	}

	// Another kind of sign-in takes the place of the first one.
	again := a.release(Config{AuthType: "aws_iam", Principal: "arn:aws:iam::123456789012:role/caller"}, target)
	if again.URL() != made.URL() {
		t.Errorf("the URL moves from %q to %q", made.URL(), again.URL())
	}
	c, err := open(t.Context(), a.host, app, made.Function)
	a.must(err)
	now, err := c.look(t.Context())
	a.must(err)
	if len(now.statements) != 2 || now.url.AuthType != "AWS_IAM" {
		t.Errorf("the alias has the statements %q and the auth_type %q, want two statements and AWS_IAM", now.statements, now.url.AuthType)
	}
	r := &releaser{host: a.host}
	for range 2 {
		a.must(r.Destroy(t.Context(), app, again))
	}
	if now, err = c.look(t.Context()); err != nil || now.alias != nil || now.url != nil || len(now.statements) > 0 {
		t.Errorf("after destroy there is %+v (%v)", now, err)
	}
}

// othersStay releases on functions and aliases that this program did not make.
func othersStay(t *testing.T, a *account) {
	app := component.App{Project: "shop", Name: "web", Workspace: "default"}
	other := app
	other.Project = "another"
	theirs := a.deploy(other, "web-1").(version)
	r := &releaser{host: a.host}
	a.must(r.cfg.complete())
	request := component.ReleaseRequest[Deployment]{Target: component.Target[Deployment]{App: app, ID: "web-1", Deployment: theirs}, Percent: 100}
	_, err := r.Release(t.Context(), request)
	wantProblem(t, err, "not that of web", "not touched")
	name := "default"
	_, err = a.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: &app.Name, Name: &name, FunctionVersion: &theirs.Version})
	a.must(err)
	request.Target.App = other
	_, err = r.Release(t.Context(), request)
	wantProblem(t, err, `another alias "default"`, "did not make it")
	a.must(r.Destroy(t.Context(), other, Release{Function: theirs.ARN, Alias: name}))
	a.must(r.Destroy(t.Context(), app, Release{Function: theirs.ARN, Alias: name}))
	if _, err := a.GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: &app.Name, Name: &name}); err != nil {
		t.Errorf("somebody else's alias: %v", err)
	}
	_, err = a.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &app.Name})
	a.must(err)
	_, err = r.Plan(t.Context(), request)
	wantProblem(t, err, `no function "web"`, "Deploy again")
	a.must(r.Destroy(t.Context(), app, Release{Function: theirs.ARN}))
}
