package ui_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/ui"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// nothing is a step that ends at once.
func nothing(context.Context, component.Step) error { return nil }

// TestShown holds the smaller rules of what is shown on a plain terminal.
func TestShown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options ui.Options
		do      func(context.Context, *ui.UI)
		want    string
	}{
		"an empty group is not shown": {
			do:   func(_ context.Context, u *ui.UI) { u.Group("empty")() },
			want: "",
		},
		"groups nest": {
			do: func(ctx context.Context, u *ui.UI) {
				endOuter := u.Group("outer")
				endInner := u.Group("inner")
				_ = u.Step(ctx, "a", nothing)
				endInner()
				endInner()
				_ = u.Step(ctx, "b", nothing)
				endOuter()
				_ = u.Step(ctx, "c", nothing)
			},
			want: "outer\n  inner\n    ✓ a\n  ✓ b\n✓ c\n",
		},
		"an interrupted step says so": {
			do: func(ctx context.Context, u *ui.UI) {
				_ = u.Step(ctx, "wait", func(context.Context, component.Step) error {
					return fmt.Errorf("waiting: %w", context.Canceled)
				})
			},
			want: "✗ wait: interrupted\n",
		},
		"a title is one line": {
			do:   func(ctx context.Context, u *ui.UI) { _ = u.Step(ctx, "a\n::error::b\x1b[2J", nothing) },
			want: "✓ a ::error::b\n",
		},
		"a short step has no duration": {
			do: func(ctx context.Context, u *ui.UI) {
				_ = u.Step(ctx, "a", func(context.Context, component.Step) error { time.Sleep(99 * time.Millisecond); return nil })
				_ = u.Step(ctx, "b", func(context.Context, component.Step) error { time.Sleep(100 * time.Millisecond); return nil })
			},
			want: "✓ a\n✓ b (0.1s)\n",
		},
		"output after the step is dropped": {
			do: func(ctx context.Context, u *ui.UI) {
				var out io.Writer
				_ = u.Step(ctx, "a", func(_ context.Context, s component.Step) error {
					out = s.Output()
					return errTest
				})
				fmt.Fprintln(out, "late")
			},
			want: "✗ a\n",
		},
		"a step below one that is over": {
			do: func(ctx context.Context, u *ui.UI) {
				var below context.Context
				_ = u.Step(ctx, "a", func(ctx context.Context, _ component.Step) error { below = ctx; return nil })
				_ = u.Step(below, "b", nothing)
			},
			want: "✓ a\n✓ b\n",
		},
		"an error ends the groups": {
			do: func(ctx context.Context, u *ui.UI) {
				end := u.Group("g")
				u.Print("in")
				u.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "W"}})
				u.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "E"}})
				u.Print("out")
				end()
			},
			want: "g\n  in\n\n  Warning: W\n\nError: E\n\nout\n",
		},
		"no diagnostics": {
			do:   func(_ context.Context, u *ui.UI) { u.Diagnostics(nil) },
			want: "",
		},
		"a place without source": {
			options: ui.Options{Dir: "/project"},
			do: func(_ context.Context, u *ui.UI) {
				for _, name := range []string{"/project/a/waypoint.hcl", "/other/vars.hcl"} {
					u.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "E", Subject: &hcl.Range{
						Filename: name, Start: hcl.Pos{Line: 3, Column: 5, Byte: 1000},
					}}})
				}
			},
			want: "Error: E\n  a/waypoint.hcl:3:5\n\nError: E\n  /other/vars.hcl:3:5\n\n",
		},
		"a range that is not of the source": {
			options: ui.Options{Files: func() map[string]*hcl.File { return map[string]*hcl.File{"a.hcl": {Bytes: []byte("a")}} }},
			do: func(_ context.Context, u *ui.UI) {
				u.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "E", Subject: &hcl.Range{
					Filename: "a.hcl", Start: hcl.Pos{Line: 3, Column: 5, Byte: 1000}, End: hcl.Pos{Line: 3, Column: 6, Byte: 1001},
				}}})
			},
			want: "Error: E\n  a.hcl:3:5\n\n",
		},
		"tabs and a range of several lines": {
			options: ui.Options{Files: func() map[string]*hcl.File {
				return map[string]*hcl.File{"a.hcl": {Bytes: []byte("a {\n\tbü = [\r\n\t]\n}\n")}}
			}},
			do: func(_ context.Context, u *ui.UI) {
				u.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "E", Subject: &hcl.Range{
					Filename: "a.hcl", Start: hcl.Pos{Line: 2, Column: 2, Byte: 5}, End: hcl.Pos{Line: 3, Column: 3, Byte: 16},
				}}})
			},
			want: "Error: E\n  a.hcl:2:2\n   2 │   bü = [\n     │   ^^^^^^\n\n",
		},
		"a range at the end of the file": {
			options: ui.Options{Files: func() map[string]*hcl.File { return map[string]*hcl.File{"a.hcl": {Bytes: []byte("app")}} }},
			do: func(_ context.Context, u *ui.UI) {
				u.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "E", Subject: &hcl.Range{
					Filename: "a.hcl", Start: hcl.Pos{Line: 1, Column: 4, Byte: 3}, End: hcl.Pos{Line: 1, Column: 4, Byte: 3},
				}}})
			},
			want: "Error: E\n  a.hcl:1:4\n   1 │ app\n     │    ^\n\n",
		},
		"the logger is silent": {
			do:   func(_ context.Context, u *ui.UI) { u.Logger().Error("not shown") },
			want: "",
		},
		"the logger in debug mode": {
			options: ui.Options{Debug: true},
			do:      func(_ context.Context, u *ui.UI) { u.Logger().With("plugin", "local").Debug("listening", "port", 80) },
			want:    "debug: level=DEBUG msg=listening plugin=local port=80\n",
		},
		"a terminal has no summary": {
			do:   func(_ context.Context, u *ui.UI) { u.Summary("# Title") },
			want: "",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				tt.options.Out = &out
				tt.do(t.Context(), ui.New(tt.options))
				if diff := cmp.Diff(tt.want, out.String()); diff != "" {
					t.Errorf("log (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestStepReturnsItsError(t *testing.T) {
	t.Parallel()
	u := ui.New(ui.Options{Out: io.Discard})
	err := u.Step(t.Context(), "a", func(context.Context, component.Step) error { return errTest })
	if !errors.Is(err, errTest) {
		t.Errorf("Step = %v, want %v", err, errTest)
	}
}

// TestOnARunnerGroupsDoNotNest shows that the heading of a group inside
// another says both, and that the outer one goes on without a group.
func TestOnARunnerGroupsDoNotNest(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	environ := map[string]string{"GITHUB_ACTIONS": "true"}
	u := ui.New(ui.Options{Runner: workflow.New(func(name string) string { return environ[name] }, &out)})
	endOuter := u.Group("web")
	endInner := u.Group("build")
	_ = u.Step(t.Context(), "a", nothing)
	endInner()
	endOuter()
	u.Summary("there is no file to write to")
	want := "::group::web › build\n✓ a\n::endgroup::\n" +
		"The summary of the run is incomplete: writing for the runner: the environment variable GITHUB_STEP_SUMMARY is not set\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestConcurrentSteps runs many steps at once, each with output of several
// writers; the log must hold every block in one piece.
func TestConcurrentSteps(t *testing.T) {
	t.Parallel()
	for _, live := range []bool{false, true} {
		t.Run(fmt.Sprintf("live=%v", live), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				u := ui.New(ui.Options{Out: &out, Live: live, Debug: true})
				var wait sync.WaitGroup
				for i := range 20 {
					wait.Go(func() {
						_ = u.Step(t.Context(), fmt.Sprint("step ", i), func(ctx context.Context, s component.Step) error {
							for n := range 10 {
								fmt.Fprintf(s.Output(), "%d writes %d\n", i, n)
								s.Update("%d of 10", n)
								time.Sleep(time.Duration(i+n) * time.Millisecond)
							}
							return nil
						})
					})
				}
				wait.Wait()
				log := out.String()
				if live {
					log = screen(log)
				}
				for i := range 20 {
					var block strings.Builder
					fmt.Fprintf(&block, "▸ step %d\n", i)
					for n := range 10 {
						fmt.Fprintf(&block, "  │ %d writes %d\n", i, n)
					}
					if !strings.Contains(log, block.String()) {
						t.Errorf("the block of step %d is torn in:\n%s", i, log)
					}
				}
			})
		})
	}
}

// TestLiveRegionIsBounded shows that no more is drawn than a small terminal
// can hold, for what has scrolled away cannot be drawn over.
func TestLiveRegionIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		u := ui.New(ui.Options{Out: &out, Live: true, Width: 20})
		var wait sync.WaitGroup
		for i := range 30 {
			wait.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond) // the order in which they begin
				_ = u.Step(t.Context(), fmt.Sprintf("step %d %s", i, strings.Repeat("x", 40)), func(context.Context, component.Step) error {
					time.Sleep(time.Second)
					return nil
				})
			})
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		lines := strings.Split(strings.TrimSuffix(screen(out.String()), "\n"), "\n")
		if len(lines) != 12 {
			t.Errorf("the region has %d lines, want 12:\n%s", len(lines), strings.Join(lines, "\n"))
		}
		if got, want := lines[len(lines)-1], "… and 19 more lines"; got != want {
			t.Errorf("the last line is %q, want %q", got, want)
		}
		for _, line := range lines {
			if len([]rune(line)) > 20 {
				t.Errorf("%q is wider than the terminal", line)
			}
		}
		wait.Wait()
	})
}

// TestOnARunnerTheInnermostFailureIsRepeated shows which output goes outside
// the folded group: that of the step where it went wrong, not of those around.
func TestOnARunnerTheInnermostFailureIsRepeated(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	environ := map[string]string{"GITHUB_ACTIONS": "true"}
	u := ui.New(ui.Options{Runner: workflow.New(func(name string) string { return environ[name] }, &out)})
	u.Group("web")
	_ = u.Step(t.Context(), "outer", func(ctx context.Context, s component.Step) error {
		fmt.Fprintln(s.Output(), "of the outer")
		return u.Step(ctx, "inner", func(_ context.Context, s component.Step) error {
			fmt.Fprintln(s.Output(), "of the inner")
			return errTest
		})
	})
	u.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "E"}})
	_, after, _ := strings.Cut(out.String(), "::endgroup::\n")
	want := "\nThe last output of \"inner\":\n  │ of the inner\n\nError: E\n\n::error::E\n"
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("log after the group (-want +got):\n%s", diff)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	got := ui.Table([]string{"APP", "STATE", "URL"}, [][]string{
		{"web", "ready", "https://web.example.com"},
		{"dócs", "down\nsince 10:00"},
		{"a", "", "x", "more than the header has"},
	})
	want := "" +
		"APP   STATE             URL\n" +
		"web   ready             https://web.example.com\n" +
		"dócs  down since 10:00\n" +
		"a                       x\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Table (-want +got):\n%s", diff)
	}
}
