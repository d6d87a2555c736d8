package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/matrix"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// The most that a push may ask of GitHub which deploys a hundred apps.
const (
	budgetJobs   = 100
	budgetCalls  = 900
	budgetWrites = 450
)

// tally is what calls of the API came to.
type tally struct{ calls, writes, refused int }

// tallied counts the calls of the API, without the artifact service and the
// storage behind it.
func tallied(calls []githubfake.Call) (t tally) {
	for _, c := range calls {
		if !strings.HasPrefix(c.Path, "/repos/") && c.Path != "/graphql" {
			continue
		}
		t.calls++
		if c.Method != http.MethodGet && c.Path != "/graphql" {
			t.writes++
		}
		if c.Status == http.StatusForbidden || c.Status == http.StatusTooManyRequests {
			t.refused++
		}
	}
	return t
}

// manyApps are the blocks of that many apps.
func manyApps(count int) map[string]string {
	apps := map[string]string{}
	for i := range count {
		apps[fmt.Sprintf("app-%03d", i)] = ""
	}
	return apps
}

// pushes makes a run with a matrix, and a job for each app, all at once.
func (m *monorepo) pushes(t *testing.T) []worked {
	t.Helper()
	run := m.start()
	first := m.succeeds(t, run, "matrix", "matrix")
	var of matrix.Matrix[matrix.Entry]
	if err := json.Unmarshal([]byte(first.outputs["matrix"]), &of); err != nil {
		t.Fatalf("the output matrix is %q: %v", first.outputs["matrix"], err)
	}
	jobs := make([]worked, len(of.Include))
	var group sync.WaitGroup
	for i, e := range of.Include {
		group.Go(func() { jobs[i] = m.job(t, run, "deploy-"+e.App, "up", "INPUT_APP="+e.App) })
	}
	group.Wait()
	m.end(run)
	for i, job := range jobs {
		if job.status != 0 {
			t.Fatalf("%s: exit status %d\n%s", of.Include[i].App, job.status, job.log)
		}
	}
	return jobs
}

func TestHundredJobsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMonorepo(t, manyApps(budgetJobs))
		for push := range 2 {
			before, began := len(m.github.Calls()), time.Now()
			jobs := m.pushes(t)
			got := tallied(m.github.Calls()[before:])
			t.Logf("push %d of %d apps, a job each: %+v, over %v of GitHub's clock", push+1, budgetJobs, got, time.Since(began).Round(time.Second))
			if len(jobs) != budgetJobs || got.calls > budgetCalls || got.writes > budgetWrites || got.refused > 0 {
				t.Errorf("push %d: %d jobs made %+v, want %d jobs, at most %d calls and %d writes, and none refused", push, len(jobs), got, budgetJobs, budgetCalls, budgetWrites)
			}
			// Two of the commit and, from the second on, one of what was there before.
			if !strings.Contains(jobs[0].summary, fmt.Sprintf("Deployments that could not be set: %d", 2+push)) {
				t.Errorf("push %d: the page does not count what was left out:\n%s", push, jobs[0].summary)
			}
			m.commit(t, map[string]string{"waypoint.hcl": m.files["waypoint.hcl"] + "\n"})
			time.Sleep(time.Hour) // for the next thousand requests
		}
		m.knows(t, budgetJobs, 2)
	})
}

// knows checks that a run reads that many releases of each of the apps, none of
// which is under way.
func (m *monorepo) knows(t *testing.T, apps, releases int) {
	t.Helper()
	run := m.start()
	got := m.succeeds(t, run, "look", "state", "INPUT_FLAGS=show\n--json\n--all\n--operation=release")
	m.end(run)
	var records []struct{ App, Status string }
	if err := json.Unmarshal([]byte(got.log[strings.Index(got.log, "["):]), &records); err != nil {
		t.Fatalf("%v in\n%s", err, got.log)
	}
	count := map[string]int{}
	for _, r := range records {
		if r.Status == "succeeded" {
			count[r.App]++
		}
	}
	for app, found := range count {
		if found != releases {
			t.Errorf("%s: %d releases are recorded, want %d", app, found, releases)
		}
	}
	if len(count) != apps || len(records) != apps*releases {
		t.Errorf("%d records of %d apps, want %d of %d", len(records), len(count), apps*releases, apps)
	}
}

func TestFewJobsLeaveNothingOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMonorepo(t, manyApps(12))
		recipeJobOf(t, "monorepo.md", ".github/workflows/deploy.yml", "deploy").allow(m.github)
		for push := range 2 {
			before, began := len(m.github.Calls()), time.Now()
			jobs := m.pushes(t)
			got := tallied(m.github.Calls()[before:])
			t.Logf("push %d of 12 apps, a job each: %+v, over %v of GitHub's clock", push+1, got, time.Since(began).Round(time.Second))
			if got.refused > 0 {
				t.Errorf("12 jobs made %+v, want none refused", got)
			}
			for _, job := range jobs {
				if strings.Contains(job.summary, "could not be set") || strings.Contains(job.log, "::warning") {
					t.Fatalf("something was left out:\n%s\n%s", job.log, job.summary)
				}
			}
			m.commit(t, map[string]string{"waypoint.hcl": m.files["waypoint.hcl"] + "\n"})
			time.Sleep(time.Hour)
		}
		if got := len(m.github.Statuses()); got != 2*12*2 {
			t.Errorf("%d commit statuses, want 48: pending and success of each app and push", got)
		}
		asked := 0
		for _, call := range m.github.Calls() {
			if call.Method == http.MethodGet && strings.HasSuffix(call.Path, "/deployments") {
				asked++
			}
		}
		// The first push finds locks that nobody ever took, which tell of nobody.
		if asked != 12 {
			t.Errorf("the jobs asked %d times for Deployments, want 12: the second push was handed them", asked)
		}
	})
}
