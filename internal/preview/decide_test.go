package preview_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/preview"
)

// opened is an event that asks for a preview.
func opened() preview.Event {
	return preview.Event{
		Name: "pull_request", Action: "opened", Actor: "octocat", Number: 7, HeadRepository: "acme/shop", Open: true,
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(*preview.Event)
		label  string // of the app's previews
		want   preview.Course
		why    string
	}{
		"opened":            {func(*preview.Event) {}, "", preview.Deploy, ""},
		"pushed to":         {func(e *preview.Event) { e.Action = "synchronize" }, "", preview.Deploy, ""},
		"reopened":          {func(e *preview.Event) { e.Action = "reopened" }, "", preview.Deploy, ""},
		"ready":             {func(e *preview.Event) { e.Action = "ready_for_review" }, "", preview.Deploy, ""},
		"closed":            {func(e *preview.Event) { e.Action, e.Open = "closed", false }, "", preview.Destroy, "closed"},
		"closed, then open": {func(e *preview.Event) { e.Action = "closed" }, "", preview.Skip, "open again"},
		"opened, then shut": {func(e *preview.Event) { e.Open = false }, "", preview.Destroy, "closed"},
		"a draft":           {func(e *preview.Event) { e.Draft = true }, "", preview.Skip, "draft"},
		"a draft is closed": {func(e *preview.Event) { e.Action, e.Draft, e.Open = "closed", true, false }, "", preview.Destroy, "closed"},
		"assigned":          {func(e *preview.Event) { e.Action = "assigned" }, "", preview.Skip, "assigned"},
		"a fork":            {func(e *preview.Event) { e.Fork, e.HeadRepository = true, "eve/shop" }, "", preview.Skip, "eve/shop"},
		"a deleted fork":    {func(e *preview.Event) { e.Fork, e.HeadRepository = true, "" }, "", preview.Skip, "deleted"},
		"Dependabot":        {func(e *preview.Event) { e.Actor = "dependabot[bot]" }, "", preview.Skip, "Dependabot"},
		"target, opened":    {func(e *preview.Event) { e.Name = "pull_request_target" }, "", preview.Skip, "only ever destroyed"},
		"target, closed":    {func(e *preview.Event) { e.Name, e.Action, e.Open = "pull_request_target", "closed", false }, "", preview.Destroy, "closed"},
		"target, fork": {func(e *preview.Event) {
			e.Name, e.Action, e.Open, e.Fork = "pull_request_target", "closed", false, true
		}, "", preview.Destroy, "closed"},
		"target, reopened":   {func(e *preview.Event) { e.Name, e.Action = "pull_request_target", "closed" }, "", preview.Skip, "open again"},
		"the label is there": {func(e *preview.Event) { e.Labels = []string{"bug", "preview"} }, "preview", preview.Deploy, ""},
		"the label lacks":    {func(e *preview.Event) { e.Labels = []string{"bug"} }, "preview", preview.Skip, "lacks the label preview"},
		"labeled": {
			func(e *preview.Event) { e.Action, e.Label, e.Labels = "labeled", "preview", []string{"preview"} }, "preview", preview.Deploy, "",
		},
		"labeled with another": {
			func(e *preview.Event) { e.Action, e.Label, e.Labels = "labeled", "bug", []string{"bug", "preview"} }, "preview", preview.Skip, "does not matter",
		},
		"labeled, none needed": {func(e *preview.Event) { e.Action, e.Label = "labeled", "bug" }, "", preview.Skip, "does not matter"},
		"labeled, taken away meanwhile": {
			func(e *preview.Event) { e.Action, e.Label = "labeled", "preview" }, "preview", preview.Skip, "lacks the label",
		},
		"unlabeled":              {func(e *preview.Event) { e.Action, e.Label = "unlabeled", "preview" }, "preview", preview.Destroy, "preview was taken away"},
		"unlabeled of another":   {func(e *preview.Event) { e.Action, e.Label = "unlabeled", "bug" }, "preview", preview.Skip, "does not matter"},
		"closed without a label": {func(e *preview.Event) { e.Action, e.Open = "closed", false }, "preview", preview.Destroy, "closed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := opened()
			c.change(&e)
			d, err := preview.Decide(e)
			if err != nil {
				t.Fatal(err)
			}
			if d = d.For(e, c.label); d.Course != c.want || !strings.Contains(d.Reason, c.why) {
				t.Errorf("got %s because %q, want %s because of %q", d.Course, d.Reason, c.want, c.why)
			}
		})
	}
}

func TestDecideWithoutPullRequest(t *testing.T) {
	t.Parallel()
	for _, e := range []preview.Event{{}, {Name: "push"}, {Name: "issue_comment", Number: 7}, {Name: "pull_request"}} {
		if d, err := preview.Decide(e); !errors.Is(err, preview.ErrNoPullRequest) {
			t.Errorf("%+v: got %v and %v, want ErrNoPullRequest", e, d, err)
		}
	}
}
