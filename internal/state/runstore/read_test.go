package runstore_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestTrust has a good state, and above it a newer artifact of the same name.
func TestTrust(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		newer     githubfake.Run
		workspace string
		reader    func(*job)
		want      string // the records that count, or "refused"
	}{
		"default branch":                       {newer: githubfake.Run{HeadBranch: "main"}, want: "good newer"},
		"fork":                                 {newer: githubfake.Run{HeadBranch: "main", Fork: true}, want: "good"},
		"other branch":                         {newer: githubfake.Run{HeadBranch: "mine"}, want: "refused"},
		"other branch, allowed":                {newer: githubfake.Run{HeadBranch: "release/1"}, reader: withRefs("release/*"), want: "good newer"},
		"other branch, another allowed":        {newer: githubfake.Run{HeadBranch: "release/1"}, reader: withRefs("v*"), want: "refused"},
		"present branch":                       {newer: githubfake.Run{HeadBranch: "mine"}, reader: onBranch("mine"), want: "good newer"},
		"pull request from the default branch": {newer: githubfake.Run{HeadBranch: "main", Event: "pull_request"}, want: "refused"},
		"pull request from an allowed branch": {
			newer: githubfake.Run{HeadBranch: "release/1", Event: "pull_request"}, reader: withRefs("release/*"), want: "refused",
		},
		"pull request from the default branch, a preview": {
			newer: githubfake.Run{HeadBranch: "main", Event: "pull_request"}, workspace: "pr-7", reader: inPullRequest("mine"), want: "good newer",
		},
		"pull request, its preview": {
			newer: githubfake.Run{HeadBranch: "mine", Event: "pull_request"}, workspace: "pr-7", reader: inPullRequest("mine"), want: "good newer",
		},
		"pull request, production": {
			newer: githubfake.Run{HeadBranch: "mine", Event: "pull_request"}, reader: inPullRequest("mine"), want: "refused",
		},
		"pull request, other preview": {
			newer: githubfake.Run{HeadBranch: "other", Event: "pull_request"}, workspace: "pr-7", reader: inPullRequest("mine"), want: "refused",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			c.newer.ID = 2
			fake.AddRun(c.newer)
			inWorkspace := func(j job, id string) {
				r := j.record(id)
				if c.workspace != "" {
					r.Workspace = c.workspace
				}
				s := j.step(t)
				put(t, s, r)
				flush(t, s)
			}
			inWorkspace(newJob(t, fake, 1), "good")
			inWorkspace(newJob(t, fake, 2), "newer")

			reader := newJob(t, fake, 3)
			if c.reader != nil {
				c.reader(&reader)
			}
			if change := reader.change; c.workspace != "" {
				reader.change = func(o *runstore.Options) {
					o.Workspace = c.workspace
					if change != nil {
						change(o)
					}
				}
			}
			ids, err := tryList(t, reader.step(t))
			got := strings.Join(ids, " ")
			if unreadable, ok := errors.AsType[*runstore.UnreadableError](err); ok && strings.Contains(unreadable.Remedy, "`state-refs`") {
				got = "refused"
			} else if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("records = %q, want %q", got, c.want)
			}
		})
	}
}

func withRefs(patterns ...string) func(*job) {
	return func(j *job) { j.change = func(o *runstore.Options) { o.Refs = patterns } }
}

func onBranch(name string) func(*job) { return func(j *job) { j.run.RefName = name } }

func inPullRequest(branch string) func(*job) {
	return func(j *job) { j.run.RefName, j.run.HeadRef = "7/merge", branch }
}

// TestRefusedButOlder shows that what a good run has already dealt with stops
// nobody.
func TestRefusedButOlder(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	fake.AddRun(githubfake.Run{ID: 1, HeadBranch: "mine"})
	newJob(t, fake, 1).deploy(t, "refused")
	newJob(t, fake, 2).deploy(t, "good")
	wantList(t, newJob(t, fake, 3).step(t), "good")
}

func TestDefaultBranchIsAskedFor(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	j := newJob(t, fake, 2)
	j.run.RefName, j.run.DefaultBranch = "feature", ""
	wantList(t, j.step(t), "A")
}

// TestNeverEmptyByMistake has a state that cannot be read, in many ways.
func TestNeverEmptyByMistake(t *testing.T) {
	t.Parallel()
	refuse := func(suffix string, status int) func(*testing.T, *githubfake.Fake) {
		return func(_ *testing.T, fake *githubfake.Fake) {
			fake.Refuse(func(r *http.Request) *githubfake.Refusal {
				if strings.HasSuffix(r.URL.Path, suffix) {
					return &githubfake.Refusal{Status: status, Body: `{"message":"no"}`}
				}
				return nil
			})
		}
	}
	whole := gzipped(t, `{"deploy-action":"state","schema":1}`+"\n")
	cases := map[string]struct {
		spoil  func(*testing.T, *githubfake.Fake)
		remedy string // a part of it
	}{
		"may not list":      {refuse("/actions/artifacts", http.StatusForbidden), "`actions: read`"},
		"list is hidden":    {refuse("/actions/artifacts", http.StatusNotFound), "`actions: read`"},
		"may not look":      {refuse("/runs/1/artifacts", http.StatusForbidden), "`actions: read`"},
		"may not download":  {refuse("/zip", http.StatusForbidden), "`actions: read`"},
		"odd answer":        {refuse("/zip", http.StatusTeapot), "Run this again"},
		"content is wrong":  {func(_ *testing.T, fake *githubfake.Fake) { fake.Corrupt(fake.Artifacts()[0].ID) }, "Delete it"},
		"somebody else's":   {uploads(packed(t, "not ours")), "Delete it"},
		"no zip":            {uploads([]byte("not ours")), "Delete it"},
		"cut off":           {uploads(packed(t, whole)[:60]), "Delete it"},
		"state is cut off":  {uploads(packed(t, whole[:30])), "Delete it"},
		"a bomb":            {uploads(packed(t, gzipped(t, strings.Repeat("\x00", 65<<20)))), "Delete it"},
		"a newer schema":    {uploads(packed(t, gzipped(t, `{"deploy-action":"state","schema":7}`+"\n"))), "newer version of this action"},
		"service is broken": {refuse("/ListArtifacts", http.StatusBadRequest), "Run this again"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			newJob(t, fake, 1).deploy(t, "A")
			c.spoil(t, fake)
			s := newJob(t, fake, 2).step(t)
			_, err := tryList(t, s)
			unreadable, ok := errors.AsType[*runstore.UnreadableError](err)
			if !ok || !strings.Contains(unreadable.Remedy, c.remedy) || unreadable.App != "web" || unreadable.Workspace != "production" {
				t.Fatalf("List() = %v, want an UnreadableError about web in production with the remedy %q", err, c.remedy)
			}
			fake.Refuse(nil)
			if _, again := tryList(t, s); again != nil && !strings.Contains(unreadable.Remedy, "Delete it") && !strings.Contains(unreadable.Remedy, "newer version") {
				t.Errorf("List() once GitHub answers = %v: a failure must not be remembered", again)
			}
		})
	}
}

// uploads takes our name in a newer run for something else, or something spoilt.
func uploads(zipped []byte) func(*testing.T, *githubfake.Fake) {
	return func(_ *testing.T, fake *githubfake.Fake) { fake.AddArtifact(9, "job", plainName, zipped) }
}

// packed is an artifact whose one file, a state by its name, holds content.
func packed(t *testing.T, content string) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	entry, err := archive.Create("state.jsonl.gz")
	if err == nil {
		_, err = io.WriteString(entry, content)
	}
	if err = errors.Join(err, archive.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestTwoOfOneName has a run that made two artifacts of the plain name, as one
// that was deleted and made again is for a while: both count.
func TestTwoOfOneName(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	newJob(t, fake, 2).deploy(t, "B")
	var second bytes.Buffer
	if err := state.Encode(&second, state.Header{}, []state.Record{newJob(t, fake, 2).record("C")}); err != nil {
		t.Fatal(err)
	}
	fake.AddArtifact(2, "job", plainName, packed(t, second.String()))
	wantList(t, newJob(t, fake, 3).step(t), "A", "B", "C")
	// To its own run the service shows the newest only.
	wantList(t, newJob(t, fake, 2).step(t), "A", "B", "C")
}

// TestDeletedMeanwhile has a run's own artifact go while lists still show it.
func TestDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	newJob(t, fake, 2).deploy(t, "B")
	refusing(fake, http.MethodPost, "/GetSignedArtifactURL", http.StatusNotFound)
	again := newJob(t, fake, 2)
	if _, err := tryList(t, again.step(t)); err == nil {
		t.Error("an answer that is not the service's counts as one")
	}
	own := fmt.Sprintf("/artifacts/%d/zip", fake.Artifacts()[1].ID)
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if strings.HasSuffix(r.URL.Path, "/GetSignedArtifactURL") || strings.HasSuffix(r.URL.Path, own) {
			return &githubfake.Refusal{Status: http.StatusNotFound, Body: `{"code":"not_found","message":"Not Found"}`}
		}
		return nil
	})
	wantList(t, again.step(t), "A")
}

func TestExpiredIsPassedOver(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	fake.Expire(fake.Artifacts()[0].ID)
	wantList(t, newJob(t, fake, 2).step(t))
}

// TestForksCannotHideTheState fills the first page with artifacts of forks.
func TestForksCannotHideTheState(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	for run := range int64(101) {
		fake.AddRun(githubfake.Run{ID: 100 + run, HeadBranch: "main", Fork: true})
		newJob(t, fake, 100+run).deploy(t, "evil")
	}
	wantList(t, newJob(t, fake, 2).step(t), "A")
}

// TestLaterJobWithoutPermission runs two jobs of one attempt, of which only the
// first may list artifacts.
func TestLaterJobWithoutPermission(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	newJob(t, fake, 2).deploy(t, "B")
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if strings.HasPrefix(r.URL.Path, "/repos/") {
			return &githubfake.Refusal{Status: 403}
		}
		return nil
	})
	wantList(t, newJob(t, fake, 2).step(t), "A", "B")

	rerun := newJob(t, fake, 2)
	rerun.run.Attempt = 2
	if _, err := tryList(t, rerun.step(t)); err == nil {
		t.Error("another attempt, perhaps days later, believed a state that may be old")
	}
}

// listing makes the fake answer every list of our name with a page of one
// hundred artifacts and a link to the next.
func listing(fake *githubfake.Fake, headRepository int, branch string) {
	var page []string
	for i := range 100 {
		page = append(page, fmt.Sprintf(`{"id":%d,"node_id":"","name":%q,"size_in_bytes":1,"url":"","archive_download_url":"","expired":false,
			"created_at":null,"expires_at":null,"updated_at":null,"digest":"",
			"workflow_run":{"id":5,"repository_id":1001,"head_repository_id":%d,"head_branch":%q,"head_sha":""}}`, 900-i, plainName, headRepository, branch))
	}
	body := `{"total_count":5000,"artifacts":[` + strings.Join(page, ",") + `]}`
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if !strings.HasSuffix(r.URL.Path, "/actions/artifacts") {
			return nil
		}
		next := fmt.Sprintf(`<http://github.example.test%s?page=%d>; rel="next"`, r.URL.Path, 2)
		return &githubfake.Refusal{Status: http.StatusOK, Header: http.Header{"Link": {next}}, Body: body}
	})
}

// TestExhausted never gets to an artifact of its own.
func TestExhausted(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	listing(fake, 2002, "main")
	_, err := tryList(t, newJob(t, fake, 1).step(t))
	if unreadable, ok := errors.AsType[*runstore.UnreadableError](err); !ok || !strings.Contains(unreadable.Error(), "none of the newest 1000 artifacts") {
		t.Errorf("List() = %v, want an UnreadableError that counts the artifacts", err)
	}
	if got := len(fake.Calls()); got > 14 {
		t.Errorf("gave up after %d requests, want at most 14", got)
	}
}

// TestNoBranchIsNoMatch has artifacts without a branch, as a deleted one leaves
// them, and a reader that knows none either.
func TestNoBranchIsNoMatch(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	listing(fake, 1001, "")
	j := newJob(t, fake, 1)
	j.run.RefName, j.run.DefaultBranch = "", ""
	_, err := tryList(t, j.step(t))
	if unreadable, ok := errors.AsType[*runstore.UnreadableError](err); !ok || !strings.Contains(unreadable.Remedy, "`state-refs`") {
		t.Errorf("List() = %v, want an UnreadableError that names state-refs", err)
	}
}
