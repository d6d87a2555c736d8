package app_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const (
	earlierHead = "1111111111111111111111111111111111111111"
	laterHead   = "2222222222222222222222222222222222222222"
)

// plans runs plan for a pull request, and returns what it came to.
func (s *shared) plans(t *testing.T, head string, status int, inputs ...string) told {
	t.Helper()
	got := s.run(t, "plan", webhook{name: "pull_request", action: "synchronize", number: 7, head: head}, inputs...)
	if got.status != status {
		t.Fatalf("plan: exit status %d, want %d\n%s", got.status, status, got.log)
	}
	return got
}

// contains checks that a comment has some texts and lacks others.
func contains(t *testing.T, comment string, has, lacks []string) {
	t.Helper()
	for _, text := range has {
		if !strings.Contains(comment, text) {
			t.Errorf("the comment lacks %q:\n%s", text, comment)
		}
	}
	for _, text := range lacks {
		if strings.Contains(comment, text) {
			t.Errorf("the comment has %q:\n%s", text, comment)
		}
	}
}

// Plan and preview share one comment. What a plan says outlives the comment of
// its own run for as long as it is about the last commit.
func TestPlanComment(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": ""}))
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	const row, diff, preview = "| web | default | [1 to create](<https://example.test/acme/shop/actions/runs/1001/", "+ create a deployment", "| web | [ready]"

	s.plans(t, earlierHead, 0)
	contains(t, s.onlyComment(t, 7), []string{"### Plan of shop", "Of commit " + earlierHead, row, diff}, []string{"Preview of"})

	if got := s.run(t, "preview", webhook{name: "pull_request", action: "synchronize", number: 7, head: earlierHead}); got.status != 0 {
		t.Fatal(got.log)
	}
	contains(t, s.onlyComment(t, 7), []string{"### Plan of shop", row, preview}, []string{diff})

	if got := s.run(t, "preview", webhook{name: "pull_request", action: "synchronize", number: 7, head: laterHead}); got.status != 0 {
		t.Fatal(got.log)
	}
	contains(t, s.onlyComment(t, 7), []string{preview}, []string{"Plan of shop", diff, earlierHead})

	s.plans(t, laterHead, 0)
	contains(t, s.onlyComment(t, 7), []string{preview, diff, "Of commit " + laterHead}, nil)

	var statuses []string
	for _, status := range s.github.Statuses() {
		if strings.Contains(status.Context, "/plan/") {
			statuses = append(statuses, status.SHA[:4]+" "+status.Context+": "+status.State+", "+status.Description)
		}
	}
	if diff := cmp.Diff([]string{
		"1111 deploy-action/plan/shop/web (default): success, 1 to create",
		"2222 deploy-action/plan/shop/web (default): success, 1 to create",
	}, statuses); diff != "" {
		t.Errorf("statuses of plans (-want +got):\n%s", diff)
	}
}

// A run that may not see the previews leaves the comment that shows them, and
// keeps one that shows plans alone up to date.
func TestPlanCommentWithoutDeployments(t *testing.T) {
	t.Parallel()
	blind := githubfake.Token{Text: "ghs_0123456789abcdef", Permissions: []string{"contents: read", "actions: read", "statuses: write", "pull-requests: write"}}
	s := newShared(t, previewFile(map[string]string{"web": ""}))
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	if got := s.run(t, "preview", webhook{name: "pull_request", action: "synchronize", number: 7, head: earlierHead}); got.status != 0 {
		t.Fatal(got.log)
	}
	before := s.onlyComment(t, 7)
	s.github.AddToken(blind)
	got := s.plans(t, laterHead, 0, "INPUT_DEPLOYMENTS=false")
	if after := s.onlyComment(t, 7); after != before || !strings.Contains(got.log, "Add `deployments: read`") {
		t.Errorf("the comment of previews became\n%s\nand the log says\n%s", after, got.log)
	}

	s = newShared(t, previewFile(map[string]string{"web": ""}))
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	s.github.AddToken(blind)
	for _, head := range []string{earlierHead, laterHead} {
		if got := s.plans(t, head, 0, "INPUT_DEPLOYMENTS=false"); strings.Contains(got.log, "::warning") {
			t.Errorf("a comment of plans alone is worth a warning:\n%s", got.log)
		}
		contains(t, s.onlyComment(t, 7), []string{"### Plan of shop", head}, []string{"Preview of"})
	}
}

// A plan that cannot be made takes the place of one that was, wherever it
// fails.
func TestPlanCommentOfAFailure(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]string{
		"a value":  "project = \"shop\"\napp \"web\" {\nbuild {\nuse \"null\" {}\n}\ndeploy {\nuse \"cloud\" {\nsize = 3\n}\n}\n}\n",
		"a plugin": "project = \"shop\"\napp \"web\" {\nbuild {\nuse \"nul\" {}\n}\ndeploy {\nuse \"cloud\" {}\n}\n}\n",
		"a block":  "project = \"shop\"\napp \"web\" {\nbuid {}\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShared(t, previewFile(map[string]string{"web": ""}))
			s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
			s.plans(t, earlierHead, 0)
			s.write(t, broken)
			s.plans(t, laterHead, 2)
			contains(t, s.onlyComment(t, 7), []string{"❌ [the plan failed; the run says why]", laterHead}, []string{"to create", earlierHead})
		})
	}
}

func TestPlanIsNotCommented(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		pull    githubfake.PullRequest
		inputs  []string
		lacks   string // of the permissions
		says    string
		comment bool
	}{
		"not wanted":          {inputs: []string{"INPUT_COMMENT=false"}},
		"of a fork":           {pull: githubfake.PullRequest{Fork: true}, says: "::notice::The plan is on the page of the run alone"},
		"not allowed":         {lacks: "pull-requests: write", says: "Add `pull-requests: write` to the permissions"},
		"without statuses":    {lacks: "statuses: write", says: "the token needs the permission \"statuses: write\"", comment: true},
		"statuses unwanted":   {inputs: []string{"INPUT_STATUSES=false"}, comment: true},
		"without deployments": {lacks: "deployments: write", inputs: []string{"INPUT_DEPLOYMENTS=false"}, comment: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShared(t, previewFile(map[string]string{"web": ""}))
			c.pull.Number = 7
			s.github.AddPullRequest(c.pull)
			if c.lacks != "" {
				permissions := []string{"contents: read"}
				for _, p := range allPermissions {
					if p != c.lacks {
						permissions = append(permissions, p)
					}
				}
				s.github.AddToken(githubfake.Token{Text: "ghs_0123456789abcdef", Permissions: permissions})
			}
			got := s.plans(t, earlierHead, 0, c.inputs...)
			if !strings.Contains(got.log, c.says) || c.says == "" && (strings.Contains(got.log, "::warning") || strings.Contains(got.log, "::notice")) {
				t.Errorf("the log should say %q:\n%s", c.says, got.log)
			}
			if commented := len(s.github.Comments()) == 1; commented != c.comment {
				t.Errorf("there is a comment: %v, want %v", commented, c.comment)
			}
		})
	}
}

// GitHub takes no comment. The run is none the worse, and says so; what has to
// be told before the platform is touched waits for as long as GitHub asks.
func TestCommentsAreDroppedFirst(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]*githubfake.Refusal{
		"down":        {Status: http.StatusBadGateway, Body: `{"message":"Bad gateway"}`},
		"limited":     tooMany("600"),
		"slow answer": {Pause: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newShared(t, previewFile(map[string]string{"web": ""}))
				s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
				s.github.Refuse(func(r *http.Request) *githubfake.Refusal {
					if strings.Contains(r.URL.Path, "/comments") {
						return refusal
					}
					return nil
				})
				began := time.Now()
				got := s.run(t, "preview", webhook{name: "pull_request", action: "opened", number: 7})
				if got.status != 0 || got.outcome != "changed" || !strings.Contains(got.log, "The comment below the pull request may be out of date") {
					t.Errorf("exit status %d, outcome %q, want 0, changed and a warning:\n%s", got.status, got.outcome, got.log)
				}
				if took := time.Since(began); took > 11*time.Minute {
					t.Errorf("it took %v", took)
				}
				if !strings.Contains(got.page, "Comments that could not be brought up to date: ") {
					t.Errorf("the page does not count it:\n%s", got.page)
				}
			})
		})
	}
}
