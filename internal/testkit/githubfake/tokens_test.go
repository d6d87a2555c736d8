package githubfake_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddToken(githubfake.Token{
		Text: "reader", Permissions: []string{"deployments: read", "contents: write"}, Repositories: []string{"shop"}, Expires: w.now.Add(time.Hour),
	})
	cases := []struct {
		method, path, body string
		want               int
	}{
		{"GET", repo, "", 200},
		{"GET", repo + "/deployments", "", 200},
		{"POST", repo + "/deployments", `{"ref":"` + head + `"}`, 403},
		{"GET", repo + "/git/matching-refs/heads/", "", 200}, // writing includes reading
		{"POST", repo + "/git/blobs", `{"content":"x"}`, 201},
		{"GET", repo + "/actions/runs/7", "", 403},
		{"GET", "/repos/octo/other", "", 404},
	}
	for _, c := range cases {
		if status, body := w.send(t, c.method, c.path, c.body, "Authorization", "token reader"); status != c.want {
			t.Errorf("%s %s = %d %s, want %d", c.method, c.path, status, body, c.want)
		}
	}
	*w.now = w.now.Add(time.Hour)
	if status, body := w.send(t, "GET", repo, "", "Authorization", "Bearer reader"); status != http.StatusUnauthorized || !strings.Contains(body, "Bad credentials") {
		t.Errorf("an hour later = %d %s, want 401", status, body)
	}
	w.clean(t)
}

// TestAppAssertions is about what an App shows instead of a token.
func TestAppAssertions(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		issuer          string
		issued, expires time.Duration // from now
		want            int
		text            string
	}{
		"good":               {"123", -time.Minute, 9 * time.Minute, 200, ""},
		"another App":        {"124", -time.Minute, 9 * time.Minute, 401, "Integration not found"},
		"from the future":    {"123", time.Minute, 9 * time.Minute, 401, "'iat'"},
		"over":               {"123", -time.Minute, -time.Second, 401, "'exp'"},
		"longer than it may": {"123", -time.Minute, 11 * time.Minute, 401, "too far in the future"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.AddApp(githubfake.App{ID: "123", Key: &key.PublicKey, Permissions: []string{"pull-requests: write"}})
			assertion := sign(t, key, jwt.Claims{Issuer: c.issuer, IssuedAt: jwt.NewNumericDate(w.now.Add(c.issued)), Expiry: jwt.NewNumericDate(w.now.Add(c.expires))})
			status, body := w.send(t, "GET", repo+"/installation", "", "Authorization", "Bearer "+assertion)
			if status != c.want || !strings.Contains(body, c.text) {
				t.Errorf("GET installation = %d %s, want %d with %q", status, body, c.want, c.text)
			}
			w.clean(t)
		})
	}
}

func sign(t *testing.T, key *rsa.PrivateKey, claims jwt.Claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestControl does everything that a script can.
func TestControl(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	control := func(path, body string) string {
		t.Helper()
		status, answer := w.send(t, "POST", "/_fake/"+path, body)
		if status != http.StatusCreated {
			t.Fatalf("POST /_fake/%s %s = %d %s, want 201", path, body, status, answer)
		}
		return answer
	}
	var commit struct{ SHA string }
	if err := json.Unmarshal([]byte(control("commits", `{"message":"first","ref":"refs/heads/main"}`)), &commit); err != nil {
		t.Fatal(err)
	}
	control("pulls", `{"number":5,"head_ref":"mine"}`)
	control("comments", `{"number":5,"login":"octocat","body":"hello"}`)
	control("tokens", `{"text":"none"}`)
	if status, _ := w.send(t, "GET", repo+"/pulls/5", "", "Authorization", "Bearer none"); status != http.StatusForbidden {
		t.Errorf("a token without permissions reads a pull request: %d, want 403", status)
	}
	if status, body := w.send(t, "POST", "/_fake/pulls", `{}`); status != http.StatusBadRequest {
		t.Errorf("a pull request without a number = %d %s, want 400", status, body)
	}
	w.ask(t, "POST", "/deployments", `{"ref":"main"}`, 201, "id")
	_, log := w.send(t, "GET", "/_fake/log", "")
	for _, want := range []string{`"body":"hello"`, `"refs/heads/main":"` + commit.SHA + `"`, `"sha":"` + commit.SHA + `"`, `"path":"/repos/octo/shop/pulls/5"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
	w.clean(t)
}

// TestEverythingSurvives restarts the fake, as between the containers of a job.
func TestEverythingSurvives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() world {
		fake, err := githubfake.New(githubfake.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(fake)
		t.Cleanup(server.Close)
		return world{Fake: fake, url: server.URL}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	first := open()
	first.AddApp(githubfake.App{ID: "123", Key: &key.PublicKey})
	first.AddToken(githubfake.Token{Text: "none"})
	first.AddPullRequest(githubfake.PullRequest{Number: 5})
	first.SetRef("refs/heads/main", first.AddCommit("first"))
	id := first.ask(t, "POST", "/deployments", `{"ref":"main"}`, 201, "id")
	first.ask(t, "POST", "/issues/5/comments", `{"body":"hello"}`, 201, "id")

	second := open()
	commit := second.Ref("refs/heads/main")
	tree := second.ask(t, "GET", "/git/commits/"+commit, "", 200, "sha")
	second.ask(t, "GET", "/git/trees/"+tree, "", 200, "sha")
	if got := second.ask(t, "GET", "/deployments/"+id, "", 200, "sha"); got != commit {
		t.Errorf("after a restart the Deployment is of %q, want %q", got, commit)
	}
	if got := second.Comments(); len(got) != 1 || got[0].Body != "hello" {
		t.Errorf("after a restart the comments are %v, want hello", got)
	}
	if status, _ := second.send(t, "GET", repo+"/pulls/5", "", "Authorization", "Bearer none"); status != http.StatusForbidden {
		t.Errorf("after a restart the token may read: %d, want 403", status)
	}
	now := time.Now()
	assertion := sign(t, key, jwt.Claims{Issuer: "123", IssuedAt: jwt.NewNumericDate(now.Add(-time.Minute)), Expiry: jwt.NewNumericDate(now.Add(time.Minute))})
	if status, body := second.send(t, "GET", repo+"/installation", "", "Authorization", "Bearer "+assertion); status != http.StatusOK {
		t.Errorf("after a restart the App cannot sign in: %d %s", status, body)
	}
	second.clean(t)
}
