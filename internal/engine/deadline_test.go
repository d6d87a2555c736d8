package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/engine"
)

// slow is a plugin whose deploy takes a time, and shows progress every so
// often.
func slow(w *world, takes, every time.Duration) component.Plugin {
	return component.Plugin{
		Name: "slow",
		Platform: component.NewPlatform(func(h component.Host, _ struct{}) (component.Platform[artifact.Image, deployment], error) {
			return slowPlatform{platform{w}, h.Progress, takes, every}, nil
		}),
	}
}

type slowPlatform struct {
	platform
	progress     component.Progress
	takes, every time.Duration
}

func (p slowPlatform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Image]) (deployment, error) {
	err := p.progress.Step(ctx, "Waiting for the pod", func(ctx context.Context, s component.Step) error {
		over := time.After(p.takes)
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-over:
				return nil
			case <-time.After(p.every):
				s.Update("0 of 2 ready")
				fmt.Fprintln(s.Output(), "still pulling")
			}
		}
	})
	return deployment{ID: req.ID}, err
}

func TestADeployEndsInTime(t *testing.T) {
	t.Parallel()
	const often = time.Minute
	cases := map[string]struct {
		block        string // of the deploy
		flag         time.Duration
		takes, every time.Duration
		after        time.Duration // it ends
		want         []string      // of the problem; none where the deploy ends well
	}{
		"well, with progress": {takes: 59 * time.Minute, every: often, after: 59 * time.Minute},
		"after an hour": {
			takes: 2 * time.Hour, every: often, after: time.Hour,
			want: []string{"The deploy did not end within 1h", `"timeout" in the deploy block, or with --timeout`},
		},
		"without progress": {
			takes: 59 * time.Minute, every: time.Hour, after: 10 * time.Minute,
			want: []string{"The deploy made no progress for 10m", `The last that it showed was "Waiting for the pod"`},
		},
		"after progress ended": {
			takes: 59 * time.Minute, every: 9 * time.Minute, after: 59 * time.Minute,
		},
		"by the block": {
			block: `timeout = "20m"`, takes: time.Hour, every: time.Hour, after: 20 * time.Minute,
			want: []string{"The deploy did not end within 20m"},
		},
		"by the flag, which counts before the block": {
			block: `timeout = "20m"`, flag: 90 * time.Second, takes: time.Hour, every: often, after: 90 * time.Second,
			want: []string{"The deploy did not end within 1m30s"},
		},
		"well, without progress in a time that is given": {
			block: `timeout = "2h"`, takes: 90 * time.Minute, every: 2 * time.Hour, after: 90 * time.Minute,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				source := strings.Replace(file, "deploy {\n    use \"world\" {}", "deploy {\n    use \"slow\" {}\n    "+c.block, 1)
				began := time.Now()
				results, err := w.engine(t, source, slow(w, c.takes, c.every)).Up(t.Context(), engine.Options{Timeout: c.flag, Retain: -1})
				if took := time.Since(began); took != c.after {
					t.Errorf("it took %v, want %v", took, c.after)
				}
				if len(c.want) == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if results[0].Failure == nil {
					t.Fatalf("Up = %v, want a failure", err)
				}
				for _, want := range c.want {
					if !strings.Contains(results[0].Failure.Error(), want) {
						t.Errorf("failure = %q, want %q in it", results[0].Failure.Error(), want)
					}
				}
				if got := w.records(t)[2]; got != "deploy 1 failed" {
					t.Errorf("record = %q, want that the deploy failed, for nobody cancelled it", got)
				}
			})
		})
	}
}

func TestAHookEndsInTime(t *testing.T) {
	t.Parallel()
	hooks := strings.Replace(strings.Replace(undone, "rollback = \"auto\"", "", 2), "deploy {", `deploy {
    hook {
      when    = "before"
      command = ["check"]
    }`, 1)
	cases := map[string]struct {
		slow  string // the hook that takes two hours
		more  string // in its block
		flag  time.Duration
		after time.Duration
		want  []string // in the failure; nil for none
	}{
		"before a deploy": {slow: "hook check", flag: time.Second, after: time.Second, want: []string{"The hook did not end within 1s", `"timeout" in the deploy block`}},
		"before a release": {
			slow: "hook announce", flag: time.Second, after: time.Second,
			want: []string{"The hook did not end within 1s", `"timeout" in the release block`},
		},
		"after a release, by the default": {slow: "hook smoke test", after: time.Hour, want: []string{"The hook did not end within 1h"}},
		"though it may fail":              {slow: "hook check", more: `on_failure = "continue"`, flag: time.Second, after: time.Second},
		"well, where there is time":       {slow: "hook check", flag: 3 * time.Hour, after: 2 * time.Hour},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				e := w.engine(t, strings.Replace(hooks, `command = ["check"]`, "command = [\"check\"]\n"+c.more, 1))
				e.Hook = func(ctx context.Context, _ *config.App, h config.Hook, _ component.Step) error {
					if "hook "+strings.Join(h.Command, " ") != c.slow {
						return nil
					}
					select {
					case <-ctx.Done():
						return errors.New("signal: killed")
					case <-time.After(2 * time.Hour):
						return nil
					}
				}
				began := time.Now()
				_, err := e.Up(t.Context(), engine.Options{Timeout: c.flag, Retain: -1})
				if took := time.Since(began); took != c.after {
					t.Errorf("it took %v, want %v", took, c.after)
				}
				if (err != nil) != (c.want != nil) {
					t.Fatalf("Up = %v, want %q", err, c.want)
				}
				for _, want := range c.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("Up = %v, want %q in it", err, want)
					}
				}
			})
		})
	}
}
