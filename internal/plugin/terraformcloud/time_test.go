package terraformcloud_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
)

// oneSecret is a workspace whose only output takes every kind of request.
func oneSecret() map[string]workspace {
	return map[string]workspace{"w": {outputs: []output{{name: "o", value: `"` + sensitive + `"`, sensitive: true}}}}
}

// kinds are parts of the paths of every kind of request.
var kinds = []string{"/ping", "/organizations/", "/current-state-version-outputs", "/state-version-outputs/"}

// TestTriedAgain has an answer that is worth another try, once for every kind
// of request, and says how long that takes.
func TestTriedAgain(t *testing.T) {
	t.Parallel()
	limited := func(reset string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", reset)
			fail(w, http.StatusTooManyRequests, "Too many requests", "You have exceeded the API's rate limit.")
		}
	}
	for name, c := range map[string]struct {
		instead         func(http.ResponseWriter)
		atLeast, atMost time.Duration
	}{
		"limit of requests":       {limited("7.5"), 7500 * time.Millisecond, 8 * time.Second},
		"limit, soon over":        {limited("0.0"), 0, time.Second},
		"limit, with nonsense":    {limited("soon"), 0, time.Second},
		"state not processed yet": {func(w http.ResponseWriter) { fail(w, http.StatusServiceUnavailable, "not ready", "") }, 5 * time.Second, 6 * time.Second},
		"server error":            {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, 0, time.Second},
		"server that asks for time": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "20")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 20 * time.Second, 21 * time.Second},
		"server that asks for too much": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(http.StatusInternalServerError)
		}, time.Minute, 61 * time.Second},
		"answer that is cut off": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"data": {`) }, 0, time.Second},
	} {
		for _, kind := range kinds[1:] {
			t.Run(name+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := &fake{t: t, workspaces: oneSecret()}
					struck := false
					f.instead = func(w http.ResponseWriter, r *http.Request) bool {
						if struck || !strings.Contains(r.URL.Path, kind) {
							return false
						}
						struck = true
						c.instead(w)
						return true
					}
					start := time.Now()
					if got := read(t, mustOpen(t, f), ask("w", "o")); got[0].Text != sensitive {
						t.Errorf("Read = %q, want the value", got[0].Text)
					}
					if took := time.Since(start); !struck || took < c.atLeast || took > c.atMost {
						t.Errorf("it takes %v, want %v to %v", took, c.atLeast, c.atMost)
					}
				})
			})
		}
	}
}

// TestGivenUp has a service that never gets well: the read ends in bounded time
// with a problem.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused")}
	for name, c := range map[string]struct {
		transport     http.RoundTripper
		summary, attr string
		says          []string
		longest       time.Duration
	}{
		"unreachable": {
			roundTrip(func(*http.Request) (*http.Response, error) { return nil, refused }),
			"Terraform Cloud cannot be reached", "base_url",
			[]string{address, `"base_url" of the source`, "connection refused", "TFE_HOSTNAME", `"tfc-hostname"`, "HTTPS_PROXY"},
			10 * time.Second,
		},
		"no TLS": {
			roundTrip(func(*http.Request) (*http.Response, error) { return nil, http.ErrSchemeMismatch }),
			"Terraform Cloud cannot be reached", "base_url",
			[]string{"HTTP response to HTTPS client"},
			10 * time.Second,
		},
		"broken": {
			&fake{t: t, instead: func(w http.ResponseWriter, _ *http.Request) bool {
				fail(w, http.StatusBadGateway, "upstream is gone", "")
				return true
			}},
			"Terraform Cloud fails", "",
			[]string{address, "502", "upstream is gone"},
			10 * time.Second,
		},
		"busy": {
			&fake{t: t, instead: func(w http.ResponseWriter, _ *http.Request) bool {
				fail(w, http.StatusTooManyRequests, "Too many requests", "")
				return true
			}},
			"Too many requests to Terraform Cloud", "",
			[]string{address, "limit"},
			time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, err := open(t, c.transport, tokenSetting+`base_url = "https://`+address+`"`, nil)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, err = s.Read(t.Context(), []component.Key{ask("w", "o")})
				checkProblem(t, err, c.summary, c.attr, c.says...)
				if took := time.Since(start); took > c.longest {
					t.Errorf("it takes %v, want %v at most", took, c.longest)
				}
			})
		})
	}
}

// TestCancelled ends the context during every kind of request, and while
// waiting for another try.
func TestCancelled(t *testing.T) {
	t.Parallel()
	reason := errors.New("the run was cancelled")
	for _, kind := range kinds {
		for _, waiting := range []bool{false, true} {
			if waiting && kind == "/ping" {
				continue // its status does not matter
			}
			name := "during"
			if waiting {
				name = "waiting after"
			}
			t.Run(name+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					f := &fake{t: t, workspaces: oneSecret()}
					f.instead = func(w http.ResponseWriter, r *http.Request) bool {
						if !strings.Contains(r.URL.Path, kind) {
							return false
						}
						time.AfterFunc(time.Second, func() { cancel(reason) })
						if waiting {
							w.Header().Set("X-RateLimit-Reset", "3600")
							fail(w, http.StatusTooManyRequests, "Too many requests", "")
						} else {
							<-r.Context().Done()
						}
						return true
					}
					start := time.Now()
					_, err := mustOpen(t, f).Read(ctx, []component.Key{ask("w", "o")})
					if !errors.Is(err, reason) || time.Since(start) != time.Second {
						t.Errorf("Read = %v after %v, want the reason after 1s", err, time.Since(start))
					}
				})
			})
		}
	}
}

// TestConcurrency reads ten sensitive outputs of each of five workspaces, each
// in one second: four workspaces at a time, four outputs at a time.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, workspaces: map[string]workspace{}}
		var keys []component.Key
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			var outputs []output
			for range 10 {
				outputs = append(outputs, output{name: string(rune('a' + len(outputs))), value: `1`, sensitive: true})
			}
			f.workspaces[name] = workspace{outputs: outputs}
			keys = append(keys, ask(name, ""))
		}
		var now, most atomic.Int64
		f.instead = func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/state-version-outputs/") {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
			}
			return false
		}
		start := time.Now()
		read(t, mustOpen(t, f), keys...)
		took := time.Since(start)
		if most.Load() < 12 || most.Load() > 16 || took < 6*time.Second || took > 8*time.Second {
			t.Errorf("at most %d requests at a time in %v, want some 16 in two rounds of 3s", most.Load(), took)
		}
	})
}
