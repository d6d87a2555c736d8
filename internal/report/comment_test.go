package report_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestComment(t *testing.T) {
	t.Parallel()
	got := report.Comment(report.Content{Project: "my-shop", Previews: []report.Preview{
		{
			App: "web", Status: "ready", URL: "https://pr-7.example.test/", Commit: "3f2c0000000000000000000000000000000000aa",
			RunURL: "https://github.com/acme/shop/actions/runs/42", Updated: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		},
		{App: "a|b", Status: "failed", Note: "<script> `x` | deploy", URL: "javascript:alert(1)", Commit: "a|b"},
	}})
	want := "<!-- deploy-action:my%2Dshop -->\n### Preview of my-shop\n\n" +
		"| app | status | where | commit | updated |\n|---|---|---|---|---|\n" +
		"| web | [ready](<https://github.com/acme/shop/actions/runs/42>) | [pr-7.example.test/](<https://pr-7.example.test/>) | 3f2c0000000000000000000000000000000000aa | 2026-01-02 03:04 UTC |\n" +
		"| a\\|b | failed: \\<script\\> \\`x\\` \\| deploy | `javascript:alert(1)` | `a\\|b` |  |\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("comment (-want +got):\n%s", diff)
	}
}

func TestCommentOfPlans(t *testing.T) {
	t.Parallel()
	plan := component.Plan{Changes: []component.Change{
		{Action: component.Create, Subject: "container/web-x7k2", Diff: "+ image: web\n"}, {Action: component.Delete, Subject: "container/web-a1b2"},
	}}
	got := report.Comment(report.Content{Project: "shop", Commit: head, Plans: []report.Plan{
		{App: "web", Workspace: "production", Text: report.PlanText(plan), RunURL: "https://github.com/acme/shop/actions/runs/42", Whole: plan},
		{App: "worker", Workspace: "production", Text: "the plan failed: no room", Failed: true},
	}})
	want := "<!-- deploy-action:shop -->\n### Plan of shop\n\nOf commit " + head + ". A deploy may change other things, if something else changes first.\n\n" +
		"| app | workspace | what would change |\n|---|---|---|\n" +
		"| web | production | [1 to create, 1 to delete](<https://github.com/acme/shop/actions/runs/42>) |\n" +
		"| worker | production | ❌ the plan failed: no room |\n" +
		"\n<details><summary>web in production</summary>\n\n```diff\n+ create container/web-x7k2\n+ image: web\n- delete container/web-a1b2\n```\n\n</details>\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("comment (-want +got):\n%s", diff)
	}
}

// GitHub notifies nobody, and links nothing, because of what a comment shows.
func TestCommentIsQuiet(t *testing.T) {
	t.Parallel()
	const loud = "@octocat said octo/shop#12 and #7 fix GH-3: https://evil.test www.evil.test"
	const quiet = "@\u200boctocat said octo/shop\\#\u200b12 and \\#\u200b7 fix GH-\u200b3: https:/\u200b/evil.test www\u200b.evil.test"
	got := report.Comment(report.Content{
		Project: loud, Previews: []report.Preview{{App: loud, Status: "failed", Note: loud, Commit: loud, URL: loud}},
		Plans: []report.Plan{{App: loud, Workspace: loud, Text: loud, Whole: component.Plan{Changes: []component.Change{{Action: component.Create, Subject: loud, Reason: loud, Diff: loud}}}}},
	})
	if count := strings.Count(got, quiet); count != 7 { // project twice, app twice, note, workspace, text
		t.Errorf("it shows the text quietly %d times, want 7:\n%s", count, got)
	}
	inCode := false
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "```") {
			inCode = !inCode
		}
		outside := strings.ReplaceAll(line, "`"+loud+"`", "")
		if !inCode && (strings.Contains(outside, "@octocat") || strings.Contains(outside, "#12") || strings.Contains(outside, "https://evil")) {
			t.Errorf("it is loud: %s", line)
		}
	}
}

// What escaping makes of a secret, nobody would recognize: it is masked before.
func TestSecretsAreMaskedBeforeTheyAreEscaped(t *testing.T) {
	t.Parallel()
	const password = "p*ss_w|rd <1>"
	known := new(secret.Set)
	known.Add(password)
	plan := component.Plan{Changes: []component.Change{{Action: component.Create, Subject: "with " + password, Reason: password, Diff: "+ " + password}}}
	failure := report.Failure{
		Stage: "deploy", Cause: hcl.Diagnostics{{Summary: "denied to " + password, Detail: strings.Repeat("x", 4090) + password}},
		Serving: password, Left: password, Next: password, Logs: []component.LogLine{{Text: strings.Repeat("x", 495) + password}},
	}
	texts := map[string]string{
		"comment": report.Comment(report.Content{
			Project: "shop", Secrets: known, Previews: []report.Preview{{App: "web", Note: password, URL: "https://example.test/" + password}},
			Plans: []report.Plan{{App: "web", Workspace: "default", Text: password, Whole: plan}},
		}),
		"page": report.Summary(report.Run{Verb: "up", Secrets: known, Notes: []string{password}, Problems: failure.Cause, Apps: []report.App{{
			Name: "web", URL: "https://example.test/" + password, Image: "web:" + password, Notes: []string{password}, Plan: plan, Failure: &failure,
		}}}),
	}
	for name, text := range texts {
		for _, part := range []string{"p*ss", "p\\*ss", "p%2Ass", "rd \\<"} {
			if strings.Contains(text, part) {
				t.Errorf("the %s shows %q of the secret:\n%s", name, part, text)
			}
		}
		if !strings.Contains(text, `\*\*\*`) || !strings.Contains(text, "***") {
			t.Errorf("the %s has no mask:\n%s", name, text)
		}
	}
}

func TestCommentMarkCannotBeClosed(t *testing.T) {
	t.Parallel()
	got, _, _ := strings.Cut(report.Comment(report.Content{Project: "a --> <b>"}), "\n")
	if want := "<!-- deploy-action:a+%2D%2D%3E+%3Cb%3E -->"; got != want {
		t.Errorf("the mark is %q, want %q", got, want)
	}
}

func TestCommentWithinLimit(t *testing.T) {
	t.Parallel()
	rows := make([]report.Preview, 3000)
	for i := range rows {
		rows[i] = report.Preview{App: fmt.Sprintf("app-%d", i), Status: "ready", Note: strings.Repeat("ü", 50)}
	}
	lines := manyPlans(2500)
	for i := range lines {
		lines[i].Whole = component.Plan{}
	}
	cases := map[string]struct {
		content report.Content
		says    string
	}{
		"many plans":         {report.Content{Plans: lines}, "Plans that are not shown: "},
		"long plans":         {report.Content{Plans: manyPlans(20)}, "Plans that are too long for this comment: "},
		"previews and plans": {report.Content{Previews: rows, Plans: manyPlans(20)}, "Apps that are not shown: "},
	}
	for name, c := range cases {
		got := report.Comment(c.content)
		if size := utf8.RuneCountInString(got); size > github.CommentLimit {
			t.Errorf("%s: it has %d characters, want at most %d", name, size, github.CommentLimit)
		}
		if strings.Count(got, "```")%2 != 0 || strings.Count(got, "<details>") != strings.Count(got, "</details>") {
			t.Errorf("%s: a block does not end", name)
		}
		if !strings.Contains(got, c.says) {
			t.Errorf("%s: it does not say %q", name, c.says)
		}
	}
	got := report.Comment(report.Content{Project: "shop", Previews: rows})
	if size := utf8.RuneCountInString(got); size > github.CommentLimit || size < github.CommentLimit/2 {
		t.Errorf("it has %d characters, want nearly %d", size, github.CommentLimit)
	}
	shown := strings.Count(got, "| app-")
	if want := fmt.Sprintf("\nApps that are not shown: %d\n", len(rows)-shown); !strings.HasSuffix(got, want) {
		t.Errorf("it ends with %q, want %q", got[len(got)-60:], want)
	}
}

// manyPlans are plans with a megabyte of changes each.
func manyPlans(count int) []report.Plan {
	diff := strings.Repeat(strings.Repeat("- ü", 100)+"\n", 3000)
	plan := component.Plan{Changes: []component.Change{{Action: component.Update, Subject: "object", Diff: diff}, {Action: component.Update, Subject: "another", Diff: diff}}}
	plans := make([]report.Plan, count)
	for i := range plans {
		plans[i] = report.Plan{App: fmt.Sprintf("app-%d", i), Workspace: "production", Text: report.PlanText(plan), Whole: plan}
	}
	return plans
}

// says is a text of the project's comment.
func says(status string) string {
	return report.Comment(report.Content{Project: "shop", Previews: []report.Preview{{App: "web", Status: status}}})
}

// always renders the same.
func always(status string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return says(status), nil }
}

func TestSticky(t *testing.T) {
	t.Parallel()
	const bot = "github-actions[bot]"
	type written struct{ Login, Body string }
	other := report.Comment(report.Content{Project: "other"})
	cases := map[string]struct {
		before []written
		create bool
		render func(context.Context) (string, error)
		want   []written
	}{
		"the first":       {create: true, render: always("ready"), want: []written{{bot, says("ready")}}},
		"nothing to mend": {render: always("ready")},
		"a new text":      {before: []written{{bot, says("deploying")}}, render: always("ready"), want: []written{{bot, says("ready")}}},
		"two of ours": {
			before: []written{{bot, says("deploying")}, {"octocat", "LGTM"}, {bot, says("failed")}}, render: always("ready"),
			want: []written{{bot, says("ready")}, {"octocat", "LGTM"}},
		},
		"another project's": {
			before: []written{{bot, other}}, create: true, render: always("ready"), want: []written{{bot, other}, {bot, says("ready")}},
		},
		"a person wrote our mark": {
			before: []written{{"mallory", says("forged")}}, create: true, render: always("ready"),
			want: []written{{"mallory", says("forged")}, {bot, says("ready")}},
		},
		"it changed meanwhile": {before: []written{{bot, says("deploying")}}, render: inTurn("failed", "ready"), want: []written{{bot, says("ready")}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, client := commented(t)
			for _, b := range c.before {
				fake.AddComment(7, b.Login, b.Body)
			}
			sticky := report.Sticky{Client: client, Number: 7, Project: "shop", Render: c.render}
			if err := sticky.Write(t.Context(), c.create); err != nil {
				t.Fatal(err)
			}
			var got []written
			for _, comment := range fake.Comments() {
				got = append(got, written{comment.Login, comment.Body})
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("comments (-want +got):\n%s", diff)
			}
		})
	}
}

// inTurn renders what is true at each call; the last one stays true.
func inTurn(statuses ...string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		status := statuses[0]
		if len(statuses) > 1 {
			statuses = statuses[1:]
		}
		return says(status), nil
	}
}

// Two runs find no comment at the same moment, and both make one.
func TestStickyMadeTwice(t *testing.T) {
	t.Parallel()
	fake, _ := commented(t)
	other := func() { fake.AddComment(7, "github-actions[bot]", says("of the other")) }
	client := clientOf(t, before(fake, http.MethodPost, sync.OnceFunc(other)))
	sticky := report.Sticky{Client: client, Number: 7, Project: "shop", Render: always("ready")}
	if err := sticky.Write(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if got := fake.Comments(); len(got) != 1 || got[0].Body != says("ready") {
		t.Errorf("the comments are %v, want one that says ready", got)
	}
}

// A person deletes the comment while it is written.
func TestStickyDeleted(t *testing.T) {
	t.Parallel()
	fake, client := commented(t)
	id := fake.AddComment(7, "github-actions[bot]", says("deploying"))
	remove := func() {
		if err := client.DeleteComment(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	sticky := report.Sticky{
		Client: clientOf(t, before(fake, http.MethodPatch, sync.OnceFunc(remove))), Number: 7, Project: "shop", Render: inTurn("failed", "ready"),
	}
	if err := sticky.Write(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if got := fake.Comments(); len(got) != 1 || got[0].Body != says("ready") {
		t.Errorf("the comments are %v, want one that says ready", got)
	}
}

func TestStickyRefused(t *testing.T) {
	t.Parallel()
	fake, client := commented(t)
	fake.AddToken(githubfake.Token{Text: "ghs_token", Permissions: []string{"pull-requests: read"}})
	err := report.Sticky{Client: client, Number: 7, Project: "shop", Render: always("ready")}.Write(t.Context(), true)
	refused, ok := errors.AsType[*github.PermissionError](err)
	if !ok || refused.Permission != "pull-requests: write" || len(fake.Comments()) != 0 {
		t.Errorf("got %v, want that pull-requests: write lacks", err)
	}
}

// commented is a repository with pull request 7, and a client of it.
func commented(t *testing.T) (*githubfake.Fake, *github.Client) {
	t.Helper()
	fake, err := githubfake.New(githubfake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fake.AddPullRequest(githubfake.PullRequest{Number: 7})
	return fake, clientOf(t, fake)
}

func clientOf(t *testing.T, transport http.RoundTripper) *github.Client {
	t.Helper()
	client, err := github.New(github.Options{Repository: "octo/shop", Token: "ghs_token", HTTP: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// transport is a function that answers requests.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// before does something before each request of a method.
func before(next http.RoundTripper, method string, do func()) transport {
	return func(r *http.Request) (*http.Response, error) {
		if r.Method == method {
			do()
		}
		return next.RoundTrip(r)
	}
}
