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

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestComment(t *testing.T) {
	t.Parallel()
	got := report.Comment("my-shop", []report.Preview{
		{
			App: "web", Status: "ready", URL: "https://pr-7.example.test/", Commit: "3f2c0000000000000000000000000000000000aa",
			RunURL: "https://github.com/acme/shop/actions/runs/42", Updated: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		},
		{App: "a|b", Status: "failed", Note: "<script> `x` | deploy", URL: "javascript:alert(1)", Commit: "a|b"},
	})
	want := "<!-- deploy-action:my%2Dshop -->\n### Preview of my-shop\n\n" +
		"| app | status | where | commit | updated |\n|---|---|---|---|---|\n" +
		"| web | [ready](<https://github.com/acme/shop/actions/runs/42>) | [pr-7.example.test/](<https://pr-7.example.test/>) | 3f2c0000000000000000000000000000000000aa | 2026-01-02 03:04 UTC |\n" +
		"| a\\|b | failed: \\<script\\> \\`x\\` \\| deploy | `javascript:alert(1)` | `a\\|b` |  |\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("comment (-want +got):\n%s", diff)
	}
}

func TestCommentMarkCannotBeClosed(t *testing.T) {
	t.Parallel()
	got, _, _ := strings.Cut(report.Comment("a --> <b>", nil), "\n")
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
	got := report.Comment("shop", rows)
	if size := utf8.RuneCountInString(got); size > github.CommentLimit || size < github.CommentLimit/2 {
		t.Errorf("it has %d characters, want nearly %d", size, github.CommentLimit)
	}
	shown := strings.Count(got, "| app-")
	if want := fmt.Sprintf("\nApps that are not shown: %d\n", len(rows)-shown); !strings.HasSuffix(got, want) {
		t.Errorf("it ends with %q, want %q", got[len(got)-60:], want)
	}
}

// says is a text of the project's comment.
func says(status string) string {
	return report.Comment("shop", []report.Preview{{App: "web", Status: status}})
}

// always renders the same.
func always(status string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return says(status), nil }
}

func TestSticky(t *testing.T) {
	t.Parallel()
	const bot = "github-actions[bot]"
	type written struct{ Login, Body string }
	other := report.Comment("other", nil)
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
