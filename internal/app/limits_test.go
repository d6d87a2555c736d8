package app_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// isReport reports whether a request tells people how things are.
func isReport(r *http.Request) bool {
	return r.Method != http.MethodGet && (strings.Contains(r.URL.Path, "/statuses") || strings.Contains(r.URL.Path, "/comments"))
}

// tooMany is GitHub's answer to too many writes.
func tooMany(seconds string) *githubfake.Refusal {
	return &githubfake.Refusal{
		Status: http.StatusForbidden, Header: http.Header{"Retry-After": {seconds}},
		Body: `{"message":"You have exceeded a secondary rate limit.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`,
	}
}

// page returns the job's summary.
func (j *job) page(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(j.pages)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// GitHub wants no writes for a while: a status is dropped and counted, and the
// intent waits.
func TestStatusesGiveWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJob(t, oneApp)
		var until time.Time
		j.github.Refuse(func(r *http.Request) *githubfake.Refusal {
			if until.IsZero() && isReport(r) {
				until = time.Now().Add(90 * time.Second)
				return tooMany("90")
			}
			if time.Now().Before(until) && strings.HasPrefix(r.URL.Path, "/repos/") {
				t.Errorf("%s %s was asked %v too early", r.Method, r.URL.Path, time.Until(until))
			}
			return nil
		})
		status, log := j.run(t, "deploy-action")
		if status != 0 || len(j.github.Artifacts()) == 0 || len(j.github.Deployments()) != 1 {
			t.Fatalf("exit status %d, want 0, a state and an intent:\n%s", status, log)
		}
		// The last one is tried again at the end, when GitHub takes it.
		if diff := cmp.Diff([]string{"deploy-action/web (default): success"}, j.told()); diff != "" {
			t.Errorf("commit statuses (-want +got):\n%s", diff)
		}
		if got := j.github.Deployments()[0].State(); got != "success" {
			t.Errorf("the Deployment is %q, want success", got)
		}
		if want := "Statuses of the commit or of Deployments that could not be set: 1"; !strings.Contains(j.page(t), want) {
			t.Errorf("the page lacks %q:\n%s", want, j.page(t))
		}
	})
}

// However GitHub fails to be told, what was deployed is deployed.
func TestNoReportTurnsASuccessRed(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]*githubfake.Refusal{
		"down":        {Status: http.StatusBadGateway, Body: `{"message":"Bad gateway"}`},
		"limited":     tooMany("3600"),
		"forbidden":   {Status: http.StatusForbidden, Body: `{"message":"Resource not accessible by integration"}`},
		"not found":   {Status: http.StatusNotFound, Body: `{"message":"Not Found"}`},
		"refused":     {Status: http.StatusUnprocessableEntity, Body: `{"message":"Validation Failed"}`},
		"nonsense":    {Status: http.StatusCreated, Body: `<html>maintenance</html>`},
		"cut short":   {Cut: true},
		"broken off":  {Reset: true},
		"slow answer": {Pause: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := newJob(t, oneApp)
				began := time.Now()
				touched := false
				j.github.Refuse(func(r *http.Request) *githubfake.Refusal {
					touched = touched || strings.HasSuffix(r.URL.Path, "/deployments") && r.Method == http.MethodPost
					if touched && isReport(r) {
						return refusal
					}
					return nil
				})
				status, log := j.run(t, "deploy-action")
				if status != 0 || !strings.Contains(log, "::warning") {
					t.Errorf("exit status %d, want 0 and a warning:\n%s", status, log)
				}
				if got := j.outputs(t)["outcome"]; got != "changed" || len(j.github.Artifacts()) != 1 {
					t.Errorf("outcome %q with %d states, want changed and 1", got, len(j.github.Artifacts()))
				}
				if took := time.Since(began); took > 2*time.Minute {
					t.Errorf("it took %v", took)
				}
				if want := "could not be set: "; !strings.Contains(j.page(t), want) {
					t.Errorf("the page lacks %q:\n%s", want, j.page(t))
				}
			})
		})
	}
}

// One run deploys more apps than GitHub takes writes for. All of them are
// recorded; what could not be told is counted, and nothing is left pending.
func TestMoreAppsThanWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const apps = 40
		var file strings.Builder
		file.WriteString("project = \"shop\"\n")
		for i := range apps {
			fmt.Fprintf(&file, "app \"web-%d\" {\nbuild {\n use \"null\" {}\n}\ndeploy {\n use \"null\" {}\n}\n}\n", i)
		}
		j := newJob(t, file.String())
		status, log := j.run(t, "deploy-action")
		if status != 0 {
			t.Fatalf("exit status %d\n%s", status, log)
		}
		if got := len(j.github.Deployments()); got != apps {
			t.Errorf("%d intents, want %d", got, apps)
		}
		if got := len(j.github.Artifacts()); got != apps {
			t.Errorf("%d states, want %d", got, apps)
		}
		last := map[string]string{}
		for _, s := range j.github.Statuses() {
			last[s.Context] = s.State
		}
		for name, state := range last {
			if state == "pending" {
				t.Errorf("%s is pending for ever", name)
			}
		}
		if want := "could not be set: "; len(last) < apps && !strings.Contains(j.page(t), want) {
			t.Errorf("%d apps were told of, and the page lacks %q:\n%s", len(last), want, j.page(t))
		}
		t.Logf("statuses of %d apps of %d; log: %d bytes", len(last), apps, len(log))
	})
}
