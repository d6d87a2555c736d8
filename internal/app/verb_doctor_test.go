package app_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// examined is doctor --json.
type examined struct {
	OK   bool `json:"ok"`
	Rows []struct {
		Check, State, Finding, Remedy string
	} `json:"rows"`
	Permissions string `json:"permissions"`
}

// state returns how a check ended; "" where there is none of that name.
func (e examined) state(check string) string {
	for _, r := range e.Rows {
		if r.Check == check {
			return r.State
		}
	}
	return ""
}

// text returns what a row says.
func (e examined) text(check string) string {
	for _, r := range e.Rows {
		if r.Check == check {
			return r.Finding + "; " + r.Remedy
		}
	}
	return ""
}

// doctor runs doctor --json in a job.
func (j *job) doctor(t *testing.T, inputs ...string) (int, examined) {
	t.Helper()
	j.inputs = append([]string{"INPUT_COMMAND=doctor", "INPUT_FLAGS=--json"}, inputs...)
	status, log := j.run(t, "deploy-action")
	var got examined
	from, to := strings.Index(log, "{\n  \"ok\""), strings.LastIndex(log, "}\n")
	if from < 0 || to < from {
		t.Fatalf("doctor printed no JSON:\n%s", log)
	}
	if err := json.Unmarshal([]byte(log[from:to+1]), &got); err != nil {
		t.Fatalf("reading what doctor printed: %v\n%s", err, log)
	}
	return status, got
}

// All is well, and nothing was changed to find that out.
func TestDoctor(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	status, got := j.doctor(t, "GITHUB_RETENTION_DAYS=90", "RUNNER_TEMP="+j.temp, "RUNNER_ENVIRONMENT=github-hosted")
	if status != 0 || !got.OK {
		t.Errorf("exit status %d, ok %v, want 0 and that all is well\n%+v", status, got.OK, got.Rows)
	}
	want := map[string]string{
		"version": "ok", "runner": "ok", "docker": "ok", "network": "ok", "journal": "ok", "checkout": "not checked", "retention": "ok",
		"waypoint.hcl": "ok", "clock": "ok", "requests": "ok", "permission actions: read": "ok", "permission contents: write": "ok",
		"permission deployments: write": "ok", "permission statuses: write": "ok", "permission pull-requests: write": "not checked",
		"state": "ok", "OIDC": "warning", "registry of web": "not checked", "platform of web": "not checked", "lock": "ok",
	}
	states := map[string]string{}
	for _, r := range got.Rows {
		states[r.Check] = r.State
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if len(j.github.Deployments())+len(j.github.Statuses())+len(j.github.Comments())+len(j.github.Artifacts()) > 0 || j.github.Ref(lockRef) != "" {
		t.Error("something was made")
	}
	page, err := os.ReadFile(j.pages)
	if err != nil || !strings.Contains(string(page), "| permission actions: read | ✅ ok |") || !strings.Contains(string(page), "id-token: write") {
		t.Errorf("the page of the run lacks the table: %v\n%s", err, page)
	}
}

// Each permission is missing alone, and both that can lock.
func TestDoctorPermissions(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		missing []string
		inputs  []string
		status  int
		states  map[string]string
	}{
		"actions": {
			missing: []string{"actions: read"}, status: 2,
			states: map[string]string{"permission actions: read": "problem", "state": "problem", "lock": "ok"},
		},
		"contents": {
			missing: []string{"contents: write"},
			states:  map[string]string{"permission contents: write": "warning", "lock": "ok"},
		},
		"deployments": {
			missing: []string{"deployments: write"}, status: 2, // nothing else tells a first run from a state that is lost
			states: map[string]string{"permission deployments: write": "warning", "state": "problem", "lock": "ok"},
		},
		"statuses": {
			missing: []string{"statuses: write"},
			states:  map[string]string{"permission statuses: write": "warning"},
		},
		"pull requests": {
			missing: []string{"pull-requests: write"},
			states:  map[string]string{"permission pull-requests: write": "warning"},
		},
		"contents and deployments": {
			missing: []string{"contents: write", "deployments: write"}, status: 2,
			states: map[string]string{"permission contents: write": "warning", "lock": "problem"},
		},
		"contents and deployments, on purpose": {
			missing: []string{"contents: write", "deployments: write"}, inputs: []string{"INPUT_LOCK=off", "INPUT_DEPLOYMENTS=false"},
			states: map[string]string{"permission contents: write": "not checked", "lock": "ok", "state": "ok"},
		},
		"all": {
			missing: allPermissions, status: 2,
			states: map[string]string{"lock": "problem", "state": "problem"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, nullApp)
			has := slices.DeleteFunc(slices.Clone(allPermissions), func(p string) bool { return slices.Contains(c.missing, p) })
			j.github.AddToken(githubfake.Token{Text: stepToken, Permissions: append(has, "contents: read")})
			status, got := j.doctor(t, c.inputs...)
			if status != c.status || got.OK != (status == 0) {
				t.Errorf("exit status %d, ok %v, want %d\n%+v", status, got.OK, c.status, got.Rows)
			}
			for check, want := range c.states {
				if got.state(check) != want {
					t.Errorf("%s: %q (%s), want %q", check, got.state(check), got.text(check), want)
				}
			}
			for _, missing := range c.missing {
				if off := got.state(permission(missing)) == "not checked"; !off && !strings.Contains(got.text(permission(missing)), "add `"+missing+"`") {
					t.Errorf("%s: %q, want the line to add", missing, got.text(permission(missing)))
				}
			}
		})
	}
}

func permission(line string) string { return "permission " + line }

// A run of a pull request shows whether the token may comment.
func TestDoctorOfPullRequest(t *testing.T) {
	t.Parallel()
	for _, may := range []bool{true, false} {
		j := newJob(t, nullApp)
		j.github.AddPullRequest(githubfake.PullRequest{Number: 7})
		has := []string{"actions: read", "contents: write", "deployments: write", "statuses: write", "pull-requests: read"}
		want := "warning"
		if may {
			has, want = allPermissions, "ok"
		}
		j.github.AddToken(githubfake.Token{Text: stepToken, Permissions: has})
		event := filepath.Join(t.TempDir(), "event.json")
		content := `{"action":"opened","pull_request":{"number":7,"head":{"sha":"` + commit + `","repo":{"full_name":"acme/shop"}},"base":{"repo":{"full_name":"acme/shop"}}}}`
		if err := os.WriteFile(event, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, got := j.doctor(t, "GITHUB_EVENT_NAME=pull_request", "GITHUB_EVENT_PATH="+event)
		if state := got.state("permission pull-requests: write"); state != want || len(j.github.Comments()) > 0 {
			t.Errorf("may comment: %v, it says %q, want %q and no comment", may, state, want)
		}
	}
}

// What is wrong with the file, or that there is none, is a row; the rest is
// looked at all the same.
func TestDoctorWithoutGoodFile(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ file, says string }{
		"none":        {"", "No waypoint.hcl found"},
		"broken":      {"project = \n", "waypoint.hcl:1"},
		"no such use": {strings.Replace(nullApp, "\"null\"", "\"nul\"", 1), `Unknown plugin "nul"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, c.file)
			if c.file == "" {
				if err := os.Remove(filepath.Join(j.workspace, "waypoint.hcl")); err != nil {
					t.Fatal(err)
				}
			}
			status, got := j.doctor(t)
			if status != 2 || !strings.Contains(got.text("waypoint.hcl"), c.says) || got.state("sources, registries, platforms") != "not checked" {
				t.Errorf("exit status %d, want 2 and %q\n%+v", status, c.says, got.Rows)
			}
			if got.state("permission statuses: write") != "ok" || got.state("clock") != "ok" {
				t.Errorf("GitHub was not asked:\n%+v", got.Rows)
			}
		})
	}
}

// The claims of the token are shown, and never the token.
func TestDoctorIdentity(t *testing.T) {
	t.Parallel()
	const claims = `{"sub":"repo:acme/shop:environment:production","aud":"https://github.com/acme","environment":"production","ref":"refs/heads/main","job_workflow_ref":"acme/ci/.github/workflows/deploy.yml@refs/tags/v1"}`
	token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2lnbmF0dXJlc2lnbmF0dXJl"
	const role = "arn:aws:iam::111122223333:role/deploy"
	file := nullApp + "auth \"aws\" {\n  role = \"" + role + "\"\n  plan_role = \"" + role + "-not\"\n}\n"
	environ := []string{
		"ACTIONS_ID_TOKEN_REQUEST_URL=https://token.example.test/?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=bearer-of-the-request", "AWS_REGION=eu-west-1",
	}

	j := newJob(t, file)
	j.github.Refuse(func(r *http.Request) *githubfake.Refusal {
		switch r.URL.Host {
		case "token.example.test":
			return &githubfake.Refusal{Status: http.StatusOK, Body: `{"value":"` + token + `"}`}
		case "sts.eu-west-1.amazonaws.com":
			return tokenService(r, role)
		}
		return nil
	})
	status, got := j.doctor(t, environ...)
	if status != 2 || !strings.Contains(got.text("OIDC"), "sub repo:acme/shop:environment:production, aud https://github.com/acme, environment production, ref refs/heads/main, job_workflow_ref acme/ci/") {
		t.Errorf("exit status %d\n%+v", status, got.Rows)
	}
	if text := got.text("auth aws, role"); got.state("auth aws, role") != "ok" || !strings.Contains(text, "signed in as arn:aws:sts::111122223333:assumed-role/deploy/") {
		t.Errorf("the role that trusts the job: %q", text)
	}
	if text := got.text("auth aws, plan_role"); got.state("auth aws, plan_role") != "problem" || !strings.Contains(text, "role/deploy-not") {
		t.Errorf("the role that does not: %q", text)
	}
	if raw, err := json.Marshal(got); err != nil || strings.Contains(string(raw), "c2lnbmF0dXJl") {
		t.Errorf("the token is shown: %v\n%s", err, raw)
	}

	status, got = newJob(t, file).doctor(t)
	if status != 2 || got.state("OIDC") != "warning" || !strings.Contains(got.text("OIDC"), "id-token: write") {
		t.Errorf("without the permission: exit status %d, %q", status, got.text("OIDC"))
	}
}

// tokenService is as much of AWS's STS as a role that trusts the job needs.
func tokenService(r *http.Request, role string) *githubfake.Refusal {
	_ = r.ParseForm() // what cannot be read is refused below
	switch {
	case r.Form.Get("Action") == "GetCallerIdentity":
		return &githubfake.Refusal{Status: http.StatusOK, Body: `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account>` +
			`<Arn>arn:aws:sts::111122223333:assumed-role/deploy/run</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`}
	case r.Form.Get("RoleArn") == role:
		return &githubfake.Refusal{Status: http.StatusOK, Body: `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>` +
			`<AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>kept-from-all</SecretAccessKey><SessionToken>kept-as-well</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>` +
			`</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`}
	}
	return &githubfake.Refusal{Status: http.StatusForbidden, Body: `<ErrorResponse><Error><Code>AccessDenied</Code>` +
		`<Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>`}
}

// A clock that is wrong, a GitHub that answers nonsense, and one that refuses
// the token.
func TestDoctorAndGitHub(t *testing.T) {
	t.Parallel()
	late := http.Header{"Date": {time.Now().Add(-2 * time.Minute).UTC().Format(http.TimeFormat)}}
	cases := map[string]struct {
		path       string
		refusal    githubfake.Refusal
		row, state string
		says       string
	}{
		"clock": {"/rate_limit", githubfake.Refusal{Status: 200, Header: late, Body: `{"resources":{}}`}, "clock", "warning", "ahead of that of GitHub; set the clock"},
		"token": {"/statuses/0badc0de0badc0de0badc0de0badc0de0badc0de", githubfake.Refusal{Status: 401, Body: `{"message":"Bad credentials"}`}, "permission statuses: write", "problem", "GitHub does not accept the token"},
		"few":   {"/rate_limit", githubfake.Refusal{Status: 200, Body: `{"resources":{"core":{"limit":1000,"remaining":3,"reset":1900000000}}}`}, "requests", "warning", "3 of 1000 left; there are 1000 again at"},
		"limit": {"/actions/artifacts", githubfake.Refusal{Status: 429, Header: http.Header{"Retry-After": {"1200"}}, Body: `{"message":"slow down"}`}, "permission actions: read", "problem", "rate limit is used up for another 20m"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, nullApp)
			j.github.Refuse(func(r *http.Request) *githubfake.Refusal {
				if strings.HasSuffix(r.URL.Path, c.path) {
					return &c.refusal
				}
				return nil
			})
			if _, got := j.doctor(t); got.state(c.row) != c.state || !strings.Contains(got.text(c.row), c.says) {
				t.Errorf("%s: %q, %q, want %q and %q", c.row, got.state(c.row), got.text(c.row), c.state, c.says)
			}
		})
	}
}

// The rest of what a job can be like.
func TestDoctorRunner(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		environ          []string
		row, state, says string
	}{
		"act":         {[]string{"ACT=true"}, "runner", "ok", "act"},
		"pod":         {[]string{"KUBERNETES_SERVICE_HOST=10.0.0.1"}, "runner", "ok", "pod of Kubernetes (ARC)"},
		"self-hosted": {[]string{"RUNNER_ENVIRONMENT=self-hosted"}, "runner", "ok", "self-hosted"},
		"engine":      {[]string{"DOCKER_HOST=tcp://me:hunter2@docker.example.test:2375"}, "docker", "ok", "tcp://docker.example.test:2375"},
		"proxy":       {[]string{"https_proxy=http://me:hunter2@proxy.example.test:3128", "NO_PROXY=.corp"}, "network", "ok", "https_proxy http://proxy.example.test:3128, NO_PROXY .corp"},
		"retention":   {[]string{"GITHUB_RETENTION_DAYS=7"}, "retention", "warning", "artifacts are kept for 7 days; keep artifacts for 30 days or more"},
		"journal":     {[]string{"GITHUB_STATE=/no/such/folder/state"}, "journal", "problem", "update the runner"},
		"switch":      {[]string{"INPUT_STATUSES=no"}, "permission statuses: write", "problem", "it takes true or false"},
		"no service":  {[]string{"ACTIONS_RESULTS_URL="}, "state", "ok", "readable: 0 records of workspace \"default\" on a git ref"},
		"a run step":  {[]string{"ACTIONS_RESULTS_URL=", "ACTIONS_RUNTIME_TOKEN="}, "state", "problem", "No place for the state; This step has no artifact service"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got := newJob(t, nullApp).doctor(t, c.environ...)
			if text := got.text(c.row); got.state(c.row) != c.state || !strings.Contains(text, c.says) || strings.Contains(text, "hunter2") {
				t.Errorf("%s: %q, %q, want %q and %q", c.row, got.state(c.row), text, c.state, c.says)
			}
		})
	}
}
