package githubfake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestFaultsOverASocket(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		fault  string
		status int // 0 where there is no answer
		broken bool
		served int // Deployments afterwards
	}{
		"refused":           {`"status":502`, 502, false, 0},
		"answer lost":       {`"status":502,"served":true`, 502, false, 1},
		"reset":             {`"reset":true`, 0, true, 0},
		"reset, but served": {`"reset":true,"served":true`, 0, true, 1},
		"cut":               {`"cut":true`, 201, true, 1},
		"slow":              {`"pause":1000000`, 201, false, 1},
		"another path":      {`"status":502,"path":"/statuses"`, 201, false, 1},
		"another method":    {`"status":502,"method":"GET"`, 201, false, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if status, body := w.send(t, "POST", "/_fake/faults", `{"times":1,`+c.fault+`}`); status != http.StatusCreated {
				t.Fatalf("POST /_fake/faults = %d %s", status, body)
			}
			status, body, err := w.deploy(t)
			if status != c.status || (err != nil) != c.broken || status == 201 && !c.broken && !json.Valid(body) {
				t.Errorf("with the fault: %d %s, %v, want %d, broken: %v", status, body, err, c.status, c.broken)
			}
			if got := len(w.Deployments()); got != c.served {
				t.Errorf("there are %d Deployments, want %d", got, c.served)
			}
			if status, _, err := w.deploy(t); (status != 201 || err != nil) && !strings.HasPrefix(name, "another") {
				t.Errorf("after the fault: %d, %v, want 201", status, err)
			}
		})
	}
}

// deploy makes a Deployment. Its status is 0 where no answer begins.
func (w world) deploy(t *testing.T) (status int, body []byte, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.url+repo+"/deployments", strings.NewReader(`{"ref":"`+head+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer x")
	response, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	write := func() (int, string) {
		return w.send(t, "POST", repo+"/git/blobs", `{"content":"x"}`, "Authorization", "Bearer x")
	}
	writes := func(n int) {
		t.Helper()
		for i := range n {
			if status, body := write(); status != http.StatusCreated {
				t.Fatalf("write %d = %d %s, want 201", i+1, status, body)
			}
		}
	}
	writes(80)
	if status, body := write(); status != http.StatusForbidden || !strings.Contains(body, "secondary-rate-limits") {
		t.Errorf("write 81 in a minute = %d %s, want a secondary limit", status, body)
	}
	w.ask(t, "GET", "", "", 200, "id") // reading goes on
	for range 5 {
		*w.now = w.now.Add(time.Minute)
		writes(80)
	}
	*w.now = w.now.Add(time.Minute)
	writes(20)
	if status, body := write(); status != http.StatusForbidden || !strings.Contains(body, "secondary-rate-limits") {
		t.Errorf("write 501 in an hour = %d %s, want a secondary limit", status, body)
	}
	*w.now = w.now.Add(time.Hour)
	writes(1)
	w.clean(t)
}

func TestRequestsAnHour(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	fake, err := githubfake.New(githubfake.Options{Requests: 3, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() *http.Response {
		req := httptest.NewRequestWithContext(t.Context(), "GET", "https://api.example.test"+repo, nil)
		req.Header.Set("Authorization", "Bearer x")
		response, err := fake.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	for _, want := range []string{"2", "1", "0"} {
		if r := ask(); r.StatusCode != 200 || r.Header.Get("X-RateLimit-Remaining") != want {
			t.Errorf("answer = %s with %s left, want %s", r.Status, r.Header.Get("X-RateLimit-Remaining"), want)
		}
	}
	now = now.Add(59 * time.Minute)
	r := ask()
	if reset := r.Header.Get("X-RateLimit-Reset"); r.StatusCode != 403 || reset != "1767326645" {
		t.Errorf("the fourth = %s until %s, want 403 until an hour after the first", r.Status, reset)
	}
	now = now.Add(time.Minute)
	if r := ask(); r.StatusCode != 200 {
		t.Errorf("after an hour = %s, want 200", r.Status)
	}
}

// TestRequestsAtOnce holds up the first request until all others have arrived.
func TestRequestsAtOnce(t *testing.T) {
	t.Parallel()
	fake, err := githubfake.New(githubfake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	arrived := false
	fake.Refuse(func(*http.Request) *githubfake.Refusal {
		for !arrived {
			runtime.Gosched()
			arrived = fake.AtOnce() == 120
		}
		return nil
	})
	codes := make(chan int)
	for range 120 {
		go func() {
			req := httptest.NewRequestWithContext(t.Context(), "GET", "https://api.example.test"+repo, nil)
			req.Header.Set("Authorization", "Bearer x")
			w := httptest.NewRecorder()
			fake.ServeHTTP(w, req)
			codes <- w.Code
		}()
	}
	refused := 0
	for range 120 {
		if <-codes == http.StatusForbidden {
			refused++
		}
	}
	if refused != 20 {
		t.Errorf("%d of 120 were refused, want those above 100", refused)
	}
}

// TestLag shows that lists lag behind, while IDs and names do not.
func TestLag(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	fake, err := githubfake.New(githubfake.Options{Lag: 10 * time.Second, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	w := world{fake, server.URL, fake.Token(7, "job"), &now}
	listed := func() int {
		t.Helper()
		service := len(w.call(t, "ListArtifacts", `"name_filter":"state"`)["artifacts"].([]any))
		if total := w.ask(t, "GET", "/actions/artifacts?name=state", "", 200, "total_count"); total != string(rune('0'+service)) {
			t.Errorf("REST lists %s, the service %d", total, service)
		}
		return service
	}
	w.upload(t, "state", "zip")
	if got := listed(); got != 0 {
		t.Errorf("at once the list has %d, want 0", got)
	}
	if status, _ := w.send(t, "POST", service+"CreateArtifact", message(`"name":"state","version":4`), "Authorization", "Bearer "+w.token); status != 409 {
		t.Errorf("its name again = %d, want 409", status)
	}
	now = now.Add(10 * time.Second)
	if got := listed(); got != 1 {
		t.Errorf("later the list has %d, want 1", got)
	}
	w.call(t, "DeleteArtifact", `"name":"state"`)
	if got := listed(); got != 1 {
		t.Errorf("right after it was deleted the list has %d, want 1", got)
	}
	w.ask(t, "GET", "/actions/artifacts/2/zip", "", 404, "")
	if status, _ := w.send(t, "POST", service+"CreateArtifact", message(`"name":"state","version":4`), "Authorization", "Bearer "+w.token); status != 409 {
		t.Errorf("its name right after it was deleted = %d, want 409", status)
	}
	now = now.Add(10 * time.Second)
	if got := listed(); got != 0 {
		t.Errorf("later the list has %d, want 0", got)
	}
	w.upload(t, "state", "zip")
}
