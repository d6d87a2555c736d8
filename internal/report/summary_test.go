package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/state"
)

var update = flag.Bool("update", false, "rewrite the expected summaries")

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// records returns records of an app that follow one another.
func records(steps ...step) []state.Record {
	var list []state.Record
	at := start
	for _, s := range steps {
		r := state.Record{Operation: s.operation, Status: s.status, Started: at}
		if s.took > 0 {
			at = at.Add(s.took)
			r.Ended = at
		}
		list = append(list, r)
	}
	return list
}

type step struct {
	operation string
	status    state.Status
	took      time.Duration
}

// hostile is what untrusted text tries.
const hostile = "a|b `c` </details>\n\n# heading\n```\n<script>[x](http://evil.test) *b* _i_ $m$ \x1b[31mred\x1b[0m"

var hostileRun = report.Run{
	Verb: hostile, Workspace: hostile, Notes: []string{hostile},
	Apps: []report.App{{
		Name: hostile, Outcome: hostile, URL: "javascript:" + hostile, Image: hostile,
		Records: records(step{hostile, state.Succeeded, time.Second}, step{"deploy", state.Running, 0}, step{"push", state.Interrupted, time.Second}),
		Plan:    component.Plan{Changes: []component.Change{{Action: component.Create, Subject: hostile, Reason: hostile, Diff: hostile}}},
		Failure: &report.Failure{
			Stage: hostile, Serving: hostile, Left: hostile, Next: hostile,
			Cause: hcl.Diagnostics{{Summary: hostile, Detail: hostile, Subject: &hcl.Range{Filename: hostile}}},
			Logs:  []component.LogLine{{Instance: hostile, Text: hostile}, {Text: "````"}},
		},
	}},
}

func TestSummary(t *testing.T) {
	t.Parallel()
	cases := map[string]report.Run{
		"success": {
			Verb: "up", Workspace: "production",
			Apps: []report.App{
				{
					Name: "web", Outcome: "changed", URL: "https://web.example.test/start?token=x", Image: "registry.example.test/web@sha256:3f2c",
					Records: records(
						step{"build", state.Succeeded, 3200 * time.Millisecond}, step{"push", state.Succeeded, 800 * time.Millisecond},
						step{"deploy", state.Succeeded, 75 * time.Second}, step{"release", state.Succeeded, 192 * time.Second},
					),
				},
				{Name: "worker", Outcome: "unchanged", Records: records(step{"build", state.Succeeded, 12 * time.Second})},
			},
			Notes: []string{"1 commit status could not be set."},
		},
		"failure": {
			Verb: "up", Workspace: "production",
			Apps: []report.App{{
				Name:    "web",
				Records: records(step{"build", state.Succeeded, time.Second}, step{"deploy", state.Failed, 30 * time.Second}),
				Failure: &report.Failure{
					Stage: "deploy",
					Cause: hcl.Diagnostics{{
						Summary: "The container exited with status 1",
						Detail:  "It ran for 2 seconds.\n\nLook at its last lines.",
						Subject: &hcl.Range{Filename: "waypoint.hcl", Start: hcl.Pos{Line: 12, Column: 9}},
					}},
					Serving: "web-a1b2 of run 811, released 2 days ago",
					Left:    "container web-x7k2",
					Next:    "Mend the image and run this again; the next up removes the container.",
					Logs:    []component.LogLine{{Instance: "web-x7k2", Text: "listen tcp :80: bind: permission denied"}},
				},
			}},
		},
		"plan": {
			Verb: "plan", Workspace: "production",
			Apps: []report.App{{Name: "web", Plan: component.Plan{Changes: []component.Change{
				{Action: component.Create, Subject: "container/web-x7k2"},
				{Action: component.Replace, Subject: "service/web", Reason: "its port changes", Diff: "@@ -1 +1 @@\n-port: 80\n+port: 81\n"},
				{Action: component.Delete, Subject: "container/web-a1b2"},
				{Action: component.Keep, Subject: "network/web"},
			}}}},
		},
		"nothing touched": {
			Verb: "up", Root: "/github/workspace",
			Problems: hcl.Diagnostics{
				{Severity: hcl.DiagError, Summary: "No such registry", Detail: "Add a registry block."},
				{
					Severity: hcl.DiagError, Summary: `Unknown plugin "dokcer"`, Detail: `Did you mean "docker"?`,
					Subject: &hcl.Range{Filename: "/github/workspace/shop/waypoint.hcl", Start: hcl.Pos{Line: 5, Column: 9}},
				},
				{
					Severity: hcl.DiagError, Summary: "Unreadable file", Detail: "It is outside of the repository.",
					Subject: &hcl.Range{Filename: "/etc/app.wpvars", Start: hcl.Pos{Line: 1, Column: 1}},
				},
			},
		},
		"hostile": hostileRun,
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := report.Summary(run)
			file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".md")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHostileTextStaysInside reads the page as Markdown does, as far as blocks
// go: what is outside of a block of code holds no line and no tag but ours.
func TestHostileTextStaysInside(t *testing.T) {
	t.Parallel()
	page := report.Summary(hostileRun)
	fence, columns := "", 0
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence != "":
			if ticks == line && len(ticks) >= len(fence) {
				fence = ""
			}
			continue
		case len(ticks) >= 3 && !strings.Contains(line[len(ticks):], "`"):
			fence = ticks
			continue
		}
		if strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "|:") {
			bars := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
			if columns == 0 {
				columns = bars
			}
			if bars != columns {
				t.Errorf("a row has %d bars, the first one %d: %s", bars, columns, line)
			}
		}
		for _, tag := range []string{"<script", "](http"} {
			if strings.Contains(strings.ReplaceAll(line, `\`+tag[:1], ""), tag) && !strings.Contains(line, "``") {
				t.Errorf("%q is alive: %s", tag, line)
			}
		}
		if strings.HasPrefix(line, "# ") || strings.ContainsRune(line, '\x1b') {
			t.Errorf("text became Markdown or a terminal code: %q", line)
		}
	}
	if fence != "" {
		t.Error("a block of code does not end")
	}
}

func TestLogsAreBounded(t *testing.T) {
	t.Parallel()
	var logs []component.LogLine
	for range 10_000 {
		logs = append(logs, component.LogLine{Text: strings.Repeat("x", 10_000)})
	}
	got := report.Summary(report.Run{Verb: "up", Apps: []report.App{{Name: "web", Failure: &report.Failure{Stage: "deploy", Logs: logs}}}})
	if len(got) > 32<<10 {
		t.Errorf("the page has %d bytes, want at most 32 KiB", len(got))
	}
}
