package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// TestCacheScope lets nobody but the default branch write what all read.
func TestCacheScope(t *testing.T) {
	t.Parallel()
	const main = "refs/heads/main"
	shared := component.CacheScope{Write: "default", Read: []string{"default"}}
	of := func(name string) component.CacheScope {
		return component.CacheScope{Write: name, Read: []string{name, "default"}}
	}
	tests := map[string]struct {
		terminal bool
		context  workflow.Context
		want     component.CacheScope
	}{
		"a terminal":            {terminal: true, want: component.CacheScope{Read: []string{"default"}}},
		"the default branch":    {context: workflow.Context{Event: "push", Ref: main, DefaultBranch: "main"}, want: shared},
		"its schedule":          {context: workflow.Context{Event: "schedule", Ref: main, DefaultBranch: "main"}, want: shared},
		"another branch":        {context: workflow.Context{Event: "push", Ref: "refs/heads/x", DefaultBranch: "main"}, want: of("ref-" + short("refs/heads/x"))},
		"a tag of that name":    {context: workflow.Context{Event: "push", Ref: "refs/tags/main", DefaultBranch: "main"}, want: of("ref-" + short("refs/tags/main"))},
		"an unknown default":    {context: workflow.Context{Event: "push", Ref: main}, want: of("ref-" + short(main))},
		"a pull request":        {context: workflow.Context{Event: "pull_request", Ref: "refs/pull/7/merge", DefaultBranch: "main", PullRequest: &workflow.PullRequest{Number: 7}}, want: of("pr-7")},
		"pull_request_target":   {context: workflow.Context{Event: "pull_request_target", Ref: main, DefaultBranch: "main", PullRequest: &workflow.PullRequest{Number: 7}}, want: of("pr-7")},
		"a run after another":   {context: workflow.Context{Event: "workflow_run", Ref: main, DefaultBranch: "main"}, want: of("event-" + short("workflow_run "+main))},
		"a comment on an issue": {context: workflow.Context{Event: "issue_comment", Ref: main, DefaultBranch: "main"}, want: of("event-" + short("issue_comment "+main))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, cacheScope(!test.terminal, test.context)); diff != "" {
				t.Errorf("cacheScope (-want +got):\n%s", diff)
			}
		})
	}
}
