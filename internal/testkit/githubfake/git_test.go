package githubfake_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

const repo = "/repos/octo/shop"

// ask sends a request with a token that may do everything, and reads one field
// of the answer. A status other than want ends the test.
func (w world) ask(t *testing.T, method, path, body string, want int, field string) string {
	t.Helper()
	status, answer := w.send(t, method, repo+path, body, "Authorization", "Bearer x")
	if status != want {
		t.Fatalf("%s %s %s = %d %s, want %d", method, path, body, status, answer, want)
	}
	fields := map[string]any{}
	if field == "" {
		return ""
	}
	if err := json.Unmarshal([]byte(answer), &fields); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(fields[field])
}

// clean fails the test if anything broke the API description.
func (w world) clean(t *testing.T) {
	t.Helper()
	for _, v := range w.Violations() {
		t.Errorf("violation: %s", v)
	}
}

// TestGitNames makes objects whose names git itself has told.
func TestGitNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.clean(t)
	blob := w.ask(t, "POST", "/git/blobs", `{"content":"aGVsbG8K","encoding":"base64"}`, 201, "sha")
	if want := "ce013625030ba8dba906f756967f9e9ca394464a"; blob != want {
		t.Errorf("blob = %s, want %s", blob, want)
	}
	tree := w.ask(t, "POST", "/git/trees", `{"tree":[{"path":"a/b","mode":"100644","type":"blob","sha":"`+blob+`"},{"path":"a.c","mode":"100644","type":"blob","content":"x"}]}`, 201, "sha")
	if want := "2945c75458a29e85c6c7bae40e593907107e2860"; tree != want {
		t.Errorf("tree = %s, want %s", tree, want)
	}
	const by = `"author":{"name":"O","email":"o@example.invalid","date":"2026-01-02T04:04:05+01:00"}`
	first := w.ask(t, "POST", "/git/commits", `{"message":"first","tree":"`+tree+`",`+by+`}`, 201, "sha")
	if want := "7aa05c2b85936cd04bdde61bb7b441bc44873d9e"; first != want {
		t.Errorf("commit = %s, want %s", first, want)
	}
	child := w.ask(t, "POST", "/git/commits", `{"message":"second","tree":"`+tree+`","parents":["`+first+`"],`+by+`}`, 201, "sha")
	if want := "e6dbc25849aee85fb2b31e7a1d0b4472fea35807"; child != want {
		t.Errorf("child = %s, want %s", child, want)
	}
	without := w.ask(t, "POST", "/git/trees", `{"base_tree":"`+tree+`","tree":[{"path":"a.c","mode":"100644","type":"blob","sha":null}]}`, 201, "sha")
	if got := w.ask(t, "GET", "/git/trees/"+without+"?recursive=1", "", 200, "tree"); without == tree || got == "[]" {
		t.Errorf("a tree without one file = %s %s", without, got)
	}
}

func TestGitRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.clean(t)
	first := w.AddCommit("first")
	child, other := w.AddCommit("child", first), w.AddCommit("other")
	w.SetRef("refs/locks/web", first)
	tree := w.ask(t, "GET", "/git/commits/"+first, "", 200, "sha")
	cases := []struct {
		name, method, path, body string
		want                     int
	}{
		{"ref without a folder", "POST", "/git/refs", `{"ref":"refs/web","sha":"` + first + `"}`, 422},
		{"ref of nothing", "POST", "/git/refs", `{"ref":"refs/locks/api","sha":"` + head + `"}`, 422},
		{"ref that is there", "POST", "/git/refs", `{"ref":"refs/locks/web","sha":"` + first + `"}`, 422},
		{"ref below another", "POST", "/git/refs", `{"ref":"refs/locks/web/x","sha":"` + first + `"}`, 422},
		{"ref above another", "POST", "/git/refs", `{"ref":"refs/locks","sha":"` + first + `"}`, 422},
		{"to the side", "PATCH", "/git/refs/locks/web", `{"sha":"` + other + `"}`, 422},
		{"to nothing", "PATCH", "/git/refs/locks/web", `{"sha":"` + head + `","force":true}`, 422},
		{"no such ref", "PATCH", "/git/refs/locks/api", `{"sha":"` + child + `"}`, 422},
		{"forward", "PATCH", "/git/refs/locks/web", `{"sha":"` + child + `"}`, 200},
		{"back", "PATCH", "/git/refs/locks/web", `{"sha":"` + first + `"}`, 422},
		{"to the side, by force", "PATCH", "/git/refs/locks/web", `{"sha":"` + other + `","force":true}`, 200},
		{"reading it", "GET", "/git/ref/locks/web", "", 200},
		{"deleting it", "DELETE", "/git/refs/locks/web", "", 204},
		{"deleting it again", "DELETE", "/git/refs/locks/web", "", 422},
		{"reading it again", "GET", "/git/ref/locks/web", "", 404},
		{"empty tree", "POST", "/git/trees", `{"tree":[]}`, 422},
		{"tree of unknown files", "POST", "/git/trees", `{"tree":[{"path":"a","mode":"100644","type":"blob","sha":"` + head + `"}]}`, 422},
		{"commit of no tree", "POST", "/git/commits", `{"message":"x","tree":"` + head + `"}`, 422},
		{"commit of no parent", "POST", "/git/commits", `{"message":"x","tree":"` + tree + `","parents":["` + head + `"]}`, 422},
		{"no base64", "POST", "/git/blobs", `{"content":"?","encoding":"base64"}`, 422},
		{"no history in common", "GET", "/compare/" + first + "..." + other, "", 404},
	}
	for _, c := range cases { // in order: some change what later ones meet
		if status, body := w.send(t, c.method, repo+c.path, c.body, "Authorization", "Bearer x"); status != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, status, body, c.want)
		}
	}
}

func TestDeploymentRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.clean(t)
	deploy := func(fields string) string {
		return w.ask(t, "POST", "/deployments", `{"ref":"`+head+`","environment":"staging","required_contexts":[]`+fields+`}`, 201, "id")
	}
	first, preview, live := deploy(""), deploy(`,"transient_environment":true`), deploy(`,"production_environment":true`)
	for _, id := range []string{first, preview, live} {
		w.ask(t, "POST", "/deployments/"+id+"/statuses", `{"state":"success","auto_inactive":false}`, 201, "id")
	}
	w.ask(t, "POST", "/deployments/"+deploy("")+"/statuses", `{"state":"success"}`, 201, "id")
	for i, want := range []string{"inactive", "success", "success", "success"} {
		if got := w.Deployments()[i].State(); got != want {
			t.Errorf("Deployment %d is %q, want %q", i, got, want)
		}
	}
	w.ask(t, "DELETE", "/deployments/"+first, "", 204, "")
	w.ask(t, "DELETE", "/deployments/"+preview, "", 422, "")
	w.ask(t, "GET", "/deployments/"+first, "", 404, "")
	w.ask(t, "GET", "/deployments/"+preview, "", 200, "id")

	w.ask(t, "POST", "/statuses/"+head, `{"state":"pending","context":"ci"}`, 201, "")
	w.ask(t, "POST", "/deployments", `{"ref":"`+head+`"}`, 409, "")
	w.ask(t, "POST", "/statuses/"+head, `{"state":"success","context":"ci"}`, 201, "")
	if got := w.ask(t, "POST", "/deployments", `{"ref":"`+head+`"}`, 201, "environment"); got != "production" {
		t.Errorf("environment = %q, want production", got)
	}
	w.ask(t, "POST", "/deployments/"+live+"/statuses", `{"state":"success","log_url":"ftp://x"}`, 422, "")
}

func TestViolations(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ method, path, body string }{
		"payload is null":    {"POST", "/deployments", `{"ref":"main","payload":null}`},
		"state is unknown":   {"POST", "/deployments/1/statuses", `{"state":"done"}`},
		"ref without sha":    {"POST", "/git/refs", `{"ref":"refs/locks/web"}`},
		"comment is missing": {"POST", "/issues/5/comments", `{}`},
		"state of pulls":     {"GET", "/pulls?state=merged", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			status, body := w.send(t, c.method, repo+c.path, c.body, "Authorization", "Bearer x")
			if status != http.StatusUnprocessableEntity || len(w.Violations()) != 1 {
				t.Errorf("%s %s %s = %d %s with violations %v, want 422 and one", c.method, c.path, c.body, status, body, w.Violations())
			}
		})
	}
}
