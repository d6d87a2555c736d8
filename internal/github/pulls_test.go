package github_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestPullRequest(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	shas := map[string]string{"base": strings.Repeat("b", 40), "head": strings.Repeat("c", 40)}
	full := githubfake.PullRequest{
		Number: 5, Title: "Better", Login: "octocat", Labels: []string{"preview", "a b"}, BaseRef: "main", BaseSHA: shas["base"], HeadRef: "mine", HeadSHA: shas["head"],
	}
	want := github.PullRequest{
		Number: 5, Title: "Better", Open: true, Labels: []string{"preview", "a b"}, BaseRef: "main", BaseSHA: shas["base"],
		HeadRef: "mine", HeadSHA: shas["head"], HeadRepository: "octo/shop",
	}
	cases := map[string]struct {
		given func(*githubfake.PullRequest)
		want  func(*github.PullRequest)
	}{
		"open":    {func(*githubfake.PullRequest) {}, func(*github.PullRequest) {}},
		"draft":   {func(p *githubfake.PullRequest) { p.Draft = true }, func(p *github.PullRequest) { p.Draft = true }},
		"closed":  {func(p *githubfake.PullRequest) { p.Closed = true }, func(p *github.PullRequest) { p.Open = false }},
		"merged":  {func(p *githubfake.PullRequest) { p.Merged = true }, func(p *github.PullRequest) { p.Open, p.Merged = false, true }},
		"fork":    {func(p *githubfake.PullRequest) { p.Fork = true }, func(p *github.PullRequest) { p.HeadRepository = "fork/shop" }},
		"deleted": {func(p *githubfake.PullRequest) { p.Deleted = true }, func(p *github.PullRequest) { p.HeadRepository = "" }},
	}
	client := newClient(t, fake)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			given, want := full, want
			c.given(&given)
			c.want(&want)
			fake.AddPullRequest(given)
			got, err := client.PullRequest(t.Context(), 5)
			if err != nil || got.Author.Login != "octocat" || got.Author.ID == 0 {
				t.Errorf("PullRequest() = %+v, %v, want one by octocat", got, err)
			}
			got.Author = github.Author{}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("PullRequest (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := client.PullRequest(t.Context(), 6); !errors.Is(err, github.ErrNotFound) || !strings.Contains(err.Error(), "#6") {
		t.Errorf("PullRequest(6) = %v, want ErrNotFound", err)
	}
}

func TestOpenPullRequests(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	for n := range 120 {
		fake.AddPullRequest(githubfake.PullRequest{Number: n + 1, Closed: n%2 == 1, Deleted: n == 4})
	}
	var got []int
	for p, err := range newClient(t, fake).OpenPullRequests(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.Number)
	}
	if len(got) != 60 || got[0] != 119 || got[59] != 1 {
		t.Errorf("OpenPullRequests = %v, want the 60 odd numbers, 119 first", got)
	}
}

func TestComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made, err := w.client.CreateComment(t.Context(), 5, "<!-- deploy-action --> first")
	if err != nil || made.ID == 0 || made.Author.Login != "github-actions[bot]" || !strings.Contains(made.URL, "/pull/5#issuecomment-") {
		t.Fatalf("CreateComment() = %+v, %v, want one of the bot", made, err)
	}
	if err := w.client.UpdateComment(t.Context(), made.ID, "second"); err != nil {
		t.Fatal(err)
	}
	list := func() string {
		var got []string
		for c, err := range w.client.Comments(t.Context(), 5) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s: %s", c.Author.Login, c.Body))
		}
		return strings.Join(got, "; ")
	}
	if got, want := list(), "octocat: hello; github-actions[bot]: second"; got != want {
		t.Errorf("Comments = %q, want %q", got, want)
	}
	for range 2 { // the second time there is nothing left
		if err := w.client.DeleteComment(t.Context(), made.ID); err != nil {
			t.Errorf("DeleteComment() = %v", err)
		}
	}
	if got, want := list(), "octocat: hello"; got != want {
		t.Errorf("Comments = %q, want %q", got, want)
	}
	if err := w.client.UpdateComment(t.Context(), made.ID, "third"); !errors.Is(err, github.ErrNotFound) {
		t.Errorf("UpdateComment() = %v, want ErrNotFound", err)
	}
}

func TestCommentLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.client.UpdateComment(t.Context(), w.comment, strings.Repeat("ü", github.CommentLimit)); err != nil {
		t.Errorf("a comment of %d characters: %v", github.CommentLimit, err)
	}
	_, err := w.client.CreateComment(t.Context(), 5, strings.Repeat("ü", github.CommentLimit+1))
	if answer, ok := errors.AsType[*github.AnswerError](err); !ok || answer.Status != 422 {
		t.Errorf("one character more: %v, want an AnswerError 422", err)
	}
}
