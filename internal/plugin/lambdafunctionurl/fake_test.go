//go:build servers

package lambdafunctionurl

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// account is an AWS of the test, which remembers what it was asked.
type account struct {
	*lambda.Client
	t    *testing.T
	host component.Host
	iam  *iam.Client
	role string

	mu    sync.Mutex
	asked []asked
}

// asked is a request to Lambda of the releaser.
type asked struct{ method, path, qualifier, body string }

// newAccount returns access to moto.
func newAccount(t *testing.T, moto *servers.MotoServer) *account {
	t.Helper()
	a := &account{t: t}
	a.host = component.Host{Getenv: moto.Getenv, HTTP: &http.Client{Transport: a}, Progress: quiet{}}
	plain := a.host
	plain.HTTP = http.DefaultClient
	session, err := aws.Open(plain, "us-east-1")
	a.must(err)
	cfg, err := session.Config(t.Context())
	a.must(err)
	a.Client, a.iam = lambda.NewFromConfig(cfg), iam.NewFromConfig(cfg)
	return a
}

// RoundTrip implements [http.RoundTripper] for the releaser.
func (a *account) RoundTrip(r *http.Request) (*http.Response, error) {
	call := asked{r.Method, r.URL.Path, r.URL.Query().Get("Qualifier"), ""}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		call.body = string(body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	a.mu.Lock()
	a.asked = append(a.asked, call)
	a.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// calls returns what the releaser has asked since the last time.
func (a *account) calls() []asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.asked
	a.asked = nil
	return calls
}

// makeRole makes the role of all functions.
func (a *account) makeRole() string {
	a.t.Helper()
	made, err := a.iam.CreateRole(a.t.Context(), &iam.CreateRoleInput{RoleName: new("function"), AssumeRolePolicyDocument: new("{}")})
	a.must(err)
	return sdk.ToString(made.Role.Arn)
}

// deploy makes a version of an app's function, with its deployment's ID for a
// description.
func (a *account) deploy(app component.App, id string) component.Deployment {
	a.t.Helper()
	ctx := a.t.Context()
	_, err := a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &app.Name, Description: &id})
	if gone(err) {
		_, err = a.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: &app.Name, Role: &a.role, PackageType: types.PackageTypeImage, Tags: aws.AppTags(app),
			Code: &types.FunctionCode{ImageUri: new("123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1")},
		})
	}
	a.must(err)
	made, err := a.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &app.Name, Description: &id})
	a.must(err)
	return version{fmt.Sprintf("arn:aws:lambda:us-east-1:123456789012:function:%s", app.Name), sdk.ToString(made.Version)}
}

// release gives a target all traffic.
func (a *account) release(cfg Config, target component.Target[Deployment]) Release {
	a.t.Helper()
	a.must(cfg.complete())
	made, err := (&releaser{a.host, cfg}).Release(a.t.Context(), component.ReleaseRequest[Deployment]{Target: target, Percent: 100})
	a.must(err)
	return made
}

// empty removes all functions.
func (a *account) empty() {
	a.t.Helper()
	ctx := context.WithoutCancel(a.t.Context())
	functions, err := a.ListFunctions(ctx, &lambda.ListFunctionsInput{})
	a.must(err)
	for _, f := range functions.Functions {
		_, err := a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: f.FunctionName})
		a.must(err)
	}
}

func (a *account) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// quiet shows nothing.
type quiet struct{}

func (quiet) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, nothing{})
}

type nothing struct{ component.Step }

func (nothing) Update(string, ...any) {}
