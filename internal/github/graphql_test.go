package github_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func deploy(t *testing.T, client *github.Client, environment, payload string, states ...string) int64 {
	t.Helper()
	made, err := client.CreateDeployment(t.Context(), github.Deployment{
		Ref: head, Task: "deploy-action:shop/web", Environment: environment, Payload: json.RawMessage(payload),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range states {
		if err := client.SetDeploymentStatus(t.Context(), made.ID, github.DeploymentStatus{State: state, Description: "about " + state}); err != nil {
			t.Fatal(err)
		}
	}
	return made.ID
}

func TestLatestDeployments(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	client := newClient(t, fake)
	deploy(t, client, "production", `{"n":1}`, "success")
	deploy(t, client, "staging", `{"n":2}`, "success")
	deploy(t, client, "production", `{"n":3}`, "failure", "inactive")
	deploy(t, client, "production", `{"n":4}`)
	var got []string
	for d, err := range client.LatestDeployments(t.Context(), "production") {
		if err != nil {
			t.Fatal(err)
		}
		if d.ID == 0 || d.Created.IsZero() {
			t.Errorf("LatestDeployments() yields %+v, want an ID and a time", d)
		}
		got = append(got, fmt.Sprintf("%s %s %s %s %s", d.SHA, d.Task, d.Payload, d.Status.State, d.Status.Description))
	}
	want := []string{
		head + ` deploy-action:shop/web {"n":4}  `,
		head + ` deploy-action:shop/web {"n":3} inactive about inactive`,
		head + ` deploy-action:shop/web {"n":1} success about success`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("LatestDeployments() (-want +got):\n%s", diff)
	}
}

func TestLatestDeploymentsInPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // for the writes of a minute
		fake := newFake(t)
		client := newClient(t, fake)
		for i := range 250 {
			deploy(t, client, "production", fmt.Sprintf(`{"n":%d}`, i))
		}
		for name, test := range map[string]struct{ take, calls int }{
			"all": {1000, 3}, "some": {150, 2}, "one": {1, 1},
		} {
			before, got := len(fake.Calls()), 0
			for _, err := range client.LatestDeployments(t.Context(), "production") {
				if err != nil {
					t.Fatal(err)
				}
				if got++; got == test.take {
					break
				}
			}
			calls := len(fake.Calls()) - before
			if got != min(test.take, 250) || calls != test.calls {
				t.Errorf("%s: %d Deployments with %d calls, want %d with %d", name, got, calls, min(test.take, 250), test.calls)
			}
		}
	})
}

func TestGraphQLRefusals(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) *githubfake.Refusal {
		return &githubfake.Refusal{Status: status, Body: body}
	}
	for name, test := range map[string]struct {
		refusal *githubfake.Refusal
		want    string
	}{
		"permission": {nil, `needs the permission "deployments: read"`},
		"hidden":     {answer(200, `{"data":{"repository":null},"errors":[{"type":"NOT_FOUND","message":"Could not resolve"}]}`), "GitHub finds nothing (404 Could not resolve)"},
		"odd":        {answer(200, `{"errors":[{"type":"EXCESSIVE","message":"too much"}]}`), "GitHub answered 200 OK too much"},
		"nonsense":   {answer(200, `{"data":[]}`), "reading the answer of GitHub"},
		"timeout":    {answer(200, `{"errors":[{"message":"Something went wrong"}]}`), "Something went wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				fake.AddToken(githubfake.Token{Text: token.Reveal(), Permissions: []string{"contents: read"}})
				if test.refusal != nil {
					fake.Refuse(func(*http.Request) *githubfake.Refusal { return test.refusal })
				}
				for _, err := range newClient(t, fake).LatestDeployments(t.Context(), "production") {
					if err == nil || !strings.Contains(err.Error(), test.want) {
						t.Errorf("LatestDeployments() = %v, want an error with %q", err, test.want)
					}
				}
			})
		})
	}
}

func TestGraphQLAddress(t *testing.T) {
	t.Parallel()
	for api, want := range map[string]string{
		"https://api.example.test":         "/graphql",
		"https://ghe.example.test/api/v3/": "/api/graphql",
	} {
		fake := newFake(t)
		client, err := github.New(github.Options{API: api, Repository: "octo/shop", Token: token, HTTP: &http.Client{Transport: fake}})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range client.LatestDeployments(t.Context(), "production") {
			t.Errorf("%s: %v", api, err)
		}
		if calls := fake.Calls(); len(calls) != 1 || calls[0].Path != want {
			t.Errorf("%s: asked %+v, want %s", api, calls, want)
		}
	}
}

func TestChangedFiles(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	client := newClient(t, fake)
	many := map[string]string{"web/main.go": "1", "go.mod": "m"}
	for i := range 400 {
		many[fmt.Sprintf("docs/%d.md", i)] = "new"
	}
	first := fake.AddFiles("first", map[string]string{"web/main.go": "1", "go.mod": "m", "old": "o"})
	second := fake.AddFiles("second", map[string]string{"web/main.go": "2", "go.mod": "m", "api/x": "x"}, first)
	large := fake.AddFiles("large", many, second)
	for name, test := range map[string]struct {
		base, head  string
		want, calls int
		err         error
	}{
		"changed, added and removed": {first, second, 3, 1, nil},
		"nothing":                    {second, second, 0, 1, nil},
		"backwards":                  {second, first, 3, 3, nil}, // a comparison would find nothing
		"more than it names":         {first, large, 401, 3, nil},
		"unknown":                    {head, second, 0, 1, github.ErrNotFound},
	} {
		before := len(fake.Calls())
		files, _, err := client.ChangedFiles(t.Context(), test.base, test.head)
		calls := len(fake.Calls()) - before
		if len(files) != test.want || calls != test.calls || !errors.Is(err, test.err) {
			t.Errorf("%s: ChangedFiles() = %d files, %v, with %d calls; want %d, %v, with %d", name, len(files), err, calls, test.want, test.err, test.calls)
		}
	}
}
