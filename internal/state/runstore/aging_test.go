package runstore

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

func TestKeyNamed(t *testing.T) {
	t.Parallel()
	for _, k := range []key{{"shop", "web", "production"}, {"a.b", "wéb~", "x y"}, {"p", "", "w"}} {
		for _, number := range []int{1, 2, 30} {
			if got, ok := keyNamed(k.name(number)); !ok || got != k {
				t.Errorf("keyNamed(%q) = %+v, %v, want %+v", k.name(number), got, ok, k)
			}
		}
	}
	for _, name := range []string{"", "coverage", "deploy-action.shop.web", "deploy-action.shop.web.w.x", "deploy-action.shop.web.w.1", "deploy-action.a.b.c.2.3", "deploy-action.~zz.b.c", "deploy-action.~4.b.c"} {
		if got, ok := keyNamed(name); ok {
			t.Errorf("keyNamed(%q) = %+v, want none", name, got)
		}
	}
}

// TestAging looks for states at rest among younger and other artifacts.
func TestAging(t *testing.T) {
	t.Parallel()
	now := time.Now()
	fake, err := githubfake.New(githubfake.Options{Now: func() time.Time { return now }, Requests: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	line := &http.Client{Transport: fake}
	client, err := github.New(github.Options{API: "http://github.example.test", Repository: "octo/shop", Token: "ghs_token", HTTP: line})
	if err != nil {
		t.Fatal(err)
	}
	var run int64
	upload := func(branch string, daysAgo int, names ...string) {
		t.Helper()
		run++
		now = time.Now().AddDate(0, 0, -daysAgo)
		fake.AddRun(githubfake.Run{ID: run, HeadBranch: branch})
		service, err := github.NewService(github.ServiceOptions{
			ResultsURL: "http://github.example.test", Token: secret.Text(fake.Token(run, "job")), HTTP: line,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if _, err := service.Upload(t.Context(), name, file, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		now = time.Now()
	}
	of := func(app, workspace string) string { return key{"shop", app, workspace}.name(1) }
	upload("main", 80, of("web", "production"), of("api", "production"))
	upload("main", 60, of("rest", "staging"), of("renewed", "staging"), of("web", "pr-7"), "coverage")
	upload("topic", 10, of("rest", "staging"))
	upload("main", 10, of("renewed", "staging")+".2", of("web", "production"))
	// The file lets branches deploy to one workspace of its own project.
	upload("release/1", 60, of("web", "live"))
	upload("release/2", 10, of("web", "live"), key{"other", "web", "live"}.name(1))
	live := claim.Key{Project: "other", App: "web", Workspace: "live"}

	options := Options{
		Client: client, Run: workflow.Context{RefName: "main", DefaultBranch: "main"}, Project: "shop", Apps: []string{"web", "api", "never"},
		RefsOf: func(workspace string) []string {
			return map[string][]string{"live": {"release/*"}}[workspace]
		},
	}
	check := func(want ...claim.Key) {
		t.Helper()
		got, err := Aging(t.Context(), options, []string{"default"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Aging (-want +got):\n%s", diff)
		}
	}
	check(live, claim.Key{Project: "shop", App: "api", Workspace: "production"}, claim.Key{Project: "shop", App: "rest", Workspace: "staging"})
	if got := len(fake.Calls()); got > 50 {
		t.Errorf("%d requests", got)
	}

	// So many younger ones that the list ends before the state of apps at rest.
	for n := range mostSwept / 500 {
		var names []string
		for i := range 500 {
			names = append(names, fmt.Sprintf("report-%d-%d", n, i))
		}
		upload("main", 0, names...)
	}
	before := len(fake.Calls())
	upload("main", 5, of("web", "production"))
	check(claim.Key{Project: "shop", App: "api", Workspace: "production"})
	if got := len(fake.Calls()) - before; got > 50 {
		t.Errorf("%d requests", got)
	}
}
