package awsecr_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/awsecr"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	plugintest.Registry(t, plugintest.RegistryCase{
		Plugin: awsecr.Plugin,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			return plugintest.World{
				Host: component.Host{
					HTTP:   &http.Client{Transport: awsfake.WithImages(awsfake.Images(awsfake.Password), (&fakeECR{}).transport())},
					Getenv: awsfake.Getenv,
				},
				Config:   "tag = \"v1\"\nrepository = \"shop/web\"\nregistry_id = \"123456789012\"\nscan_on_push = true\nlifecycle {\n  untagged_days = 14\n}",
				Secrets:  []secret.Text{awsfake.Password, "test-secret-key"},
				Artifact: awsfake.Image(t, "hello", "amd64"),
				Reads:    awsfake.Reads,
			}
		},
	})
}

// TestRepository says where images will be, without asking anybody.
func TestRepository(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		config awsecr.RegistryConfig
		auth   component.Auth
		job    bool
		want   string
	}{
		"unknown account":       {config: awsecr.RegistryConfig{Tag: "v1"}},
		"registry_id":           {config: awsecr.RegistryConfig{Tag: "v1", RegistryID: "111122223333"}, want: "111122223333.dkr.ecr.us-east-1.amazonaws.com/waypoint-web"},
		"role":                  {config: awsecr.RegistryConfig{Tag: "v1"}, auth: component.Auth{Role: "arn:aws:iam::222233334444:role/d"}, job: true, want: "222233334444.dkr.ecr.us-east-1.amazonaws.com/waypoint-web"},
		"role off a runner":     {config: awsecr.RegistryConfig{Tag: "v1"}, auth: component.Auth{Role: "arn:aws:iam::222233334444:role/d"}},
		"the only account":      {config: awsecr.RegistryConfig{Tag: "v1", Repository: "a/b"}, auth: component.Auth{Accounts: []string{"333344445555"}}, want: "333344445555.dkr.ecr.us-east-1.amazonaws.com/a/b"},
		"China":                 {config: awsecr.RegistryConfig{Tag: "v1", RegistryID: "111122223333", Region: "cn-north-1"}, want: "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/waypoint-web"},
		"region of the block":   {config: awsecr.RegistryConfig{Tag: "v1", RegistryID: "111122223333", Region: "eu-west-1"}, want: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/waypoint-web"},
		"region of an auth one": {config: awsecr.RegistryConfig{Tag: "v1", RegistryID: "111122223333"}, auth: component.Auth{Arguments: map[string]string{"region": "eu-west-3"}}, want: "111122223333.dkr.ecr.eu-west-3.amazonaws.com/waypoint-web"},
		"one of several":        {config: awsecr.RegistryConfig{Tag: "v1"}, auth: component.Auth{Accounts: []string{"333344445555", "111122223333"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := awsfake.Host(awsfake.Getenv, nowhere{})
			host.Auth = map[string]component.Auth{"aws": c.auth}
			if c.job {
				host.IDToken = func(context.Context, string) (secret.Text, error) { return "", errors.New("nobody may ask") }
			}
			got, err := openWith(t, host, c.config).Repository(t.Context(), app)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case got == nil && c.want != "":
				t.Errorf("Repository = nil, want %q", c.want)
			case got != nil && (got.Name != c.want || got.Tag != "v1" || got.Login == nil):
				t.Errorf("Repository = %+v, want %q with a login", got, c.want)
			}
		})
	}
}

// nowhere fails every request.
type nowhere struct{}

func (nowhere) RoundTrip(req *http.Request) (*http.Response, error) {
	return nil, errors.New("no route to " + req.URL.Host)
}

func TestProblems(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		config  awsecr.RegistryConfig
		summary string
		attr    string
	}{
		"repository":  {awsecr.RegistryConfig{Tag: "v1", Repository: "Shop/Web"}, "Invalid repository name", "repository"},
		"with a host": {awsecr.RegistryConfig{Tag: "v1", Repository: awsfake.ImageHost + "/web:v1"}, "Invalid repository name", "repository"},
		"tag":         {awsecr.RegistryConfig{Tag: "v:1"}, "Invalid image tag", "tag"},
		"account":     {awsecr.RegistryConfig{Tag: "v1", RegistryID: "1234"}, "Invalid registry_id", "registry_id"},
		"mutability":  {awsecr.RegistryConfig{Tag: "v1", TagMutability: "imutable"}, "Unknown tag_mutability", "tag_mutability"},
		"tag of ours": {awsecr.RegistryConfig{Tag: "v1", Tags: map[string]string{"deploy-action.dev/app": "x"}}, "Reserved tag", "tags"},
		"no limit":    {awsecr.RegistryConfig{Tag: "v1", Lifecycle: &awsecr.Lifecycle{}}, "Unclear lifecycle", "lifecycle"},
		"two limits":  {awsecr.RegistryConfig{Tag: "v1", Lifecycle: &awsecr.Lifecycle{UntaggedDays: 1, UntaggedCount: 1}}, "Unclear lifecycle", "lifecycle"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tryOpen(awsfake.Host(awsfake.Getenv, nowhere{}), c.config)
			checkProblem(t, err, c.summary, c.attr)
		})
	}
	host := awsfake.Host(func(string) string { return "" }, nowhere{})
	host.IDToken = func(context.Context, string) (secret.Text, error) { return "", nil }
	_, err := tryOpen(host, awsecr.RegistryConfig{Tag: "v1"})
	checkProblem(t, err, "The region of AWS is not known", "region")
}

func checkProblem(t *testing.T, err error, summary, attr string) {
	t.Helper()
	problem, _ := errors.AsType[*diag.Problem](err)
	if problem == nil || problem.Summary != summary || problem.Attr != attr {
		t.Errorf("%v, want the problem %q at %s", err, summary, attr)
	}
}

// TestNameOfTheApp is that of the repository, if it can be.
func TestNameOfTheApp(t *testing.T) {
	t.Parallel()
	host := awsfake.Host(awsfake.Getenv, nowhere{})
	c := awsecr.RegistryConfig{Tag: "v1", RegistryID: "111122223333"}
	got := map[string]string{}
	for _, name := range []string{"web", "Web_API.v2", "a--b"} {
		repository, err := openWith(t, host, c).Repository(t.Context(), component.App{Project: "shop", Name: name})
		if err != nil {
			checkProblem(t, err, "Invalid repository name", "repository")
			continue
		}
		got[name] = strings.TrimPrefix(repository.Name, "111122223333.dkr.ecr.us-east-1.amazonaws.com/")
	}
	if diff := cmp.Diff(map[string]string{"web": "waypoint-web", "Web_API.v2": "waypoint-web_api.v2"}, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// TestLoginIsShared asks for one login for all that one run does.
func TestLoginIsShared(t *testing.T) {
	t.Parallel()
	aws := &fakeECR{}
	host := awsfake.Host(awsfake.Getenv, awsfake.WithImages(awsfake.Images(awsfake.Password), aws.transport()))
	host.SignIns = &sync.Map{}
	registry := openWith(t, host, awsecr.RegistryConfig{Tag: "v1", RegistryID: "123456789012"})
	repository, err := registry.Repository(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	if user, password, err := repository.Login(t.Context()); err != nil || user != "AWS" || password != awsfake.Password {
		t.Errorf("Login = %q, %v", user, err)
	}
	if _, err := registry.Push(t.Context(), request(awsfake.Image(t, "one", "amd64"))); err != nil {
		t.Fatal(err)
	}
	if aws.logins != 1 {
		t.Errorf("%d logins were asked for, want one", aws.logins)
	}
}

// TestRefusedPush has a registry that takes no login of ours.
func TestRefusedPush(t *testing.T) {
	t.Parallel()
	host := awsfake.Host(awsfake.Getenv, awsfake.WithImages(awsfake.Images("another"), (&fakeECR{}).transport()))
	_, err := openWith(t, host, awsecr.RegistryConfig{Tag: "v1"}).Push(t.Context(), request(awsfake.Image(t, "one", "amd64")))
	checkProblem(t, err, "Registry "+awsfake.ImageHost+" refused access", "repository")
}
