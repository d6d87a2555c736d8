package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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
	Verb: hostile, Workspace: hostile, Notes: []string{hostile}, Commit: hostile, Repository: "https://github.example.test/octo/shop", Environment: hostile,
	Apps: []report.App{{
		Name: hostile, Outcome: hostile, URL: "javascript:" + hostile, Image: hostile, Deployment: hostile, Notes: []string{hostile},
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
			Verb: "up", Workspace: "production", Commit: head, Repository: "https://github.example.test/octo/shop", Environment: "production",
			Apps: []report.App{
				{
					Deployment: "web-7ndvpx7ahe", Sequence: 12,
					Notes: []string{"release: 10 % of the traffic for 5m, ready", `the hook "announce" failed; on_failure says to go on: no such host`},
					Name:  "web", Outcome: "changed", URL: "https://web.example.test/start?token=x", Image: "registry.example.test/acme/web@sha256:3f2c1a9b0d1e77777777777777777777777777777777777777777777777777",
					Shares: []report.Share{
						{Percent: 10, Started: start.Add(80 * time.Second), Ended: start.Add(140 * time.Second)},
						{Percent: 50, Started: start.Add(140 * time.Second), Ended: start.Add(260 * time.Second)},
					},
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
				{Severity: hcl.DiagError, Summary: "No such registry", Detail: "Add a registry block:\n\n    registry {\n      use \"docker\" {}\n    }\n\nThen run this again."},
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

// manyApps are apps with plans.
func manyApps(count int) []report.App {
	apps := make([]report.App, count)
	for i, p := range manyPlans(count) {
		apps[i] = report.App{Name: p.App, Plan: p.Whole}
	}
	return apps
}

// A page holds what matters most, whatever it is given, and stays below what
// the runner takes.
func TestPageIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a long <story> | ", 2_000)
	var logs []component.LogLine
	for range 10_000 {
		logs = append(logs, component.LogLine{Instance: "web-1", Text: long[:10_000]})
	}
	var changes []component.Change
	for range 1000 {
		changes = append(changes, component.Change{Action: component.Update, Subject: "object", Reason: long, Diff: long})
	}
	megabyte := strings.Repeat("ж`</details>|", 1<<17)
	problems := slices.Repeat(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Summary of " + long, Detail: long}}, 1000)
	app := report.App{
		Name: "web", URL: "https://web.example.test/" + long, Image: long, Notes: []string{long, long}, Plan: component.Plan{Changes: changes},
		Records: records(step{"build", state.Succeeded, time.Second}, step{"deploy", state.Failed, time.Second}),
		Failure: &report.Failure{Stage: "deploy", Cause: problems, Serving: long, Left: long, Next: long, Logs: logs},
	}
	cases := map[string]report.Run{
		"one app":        {Verb: "up", Workspace: "production", Apps: []report.App{app}},
		"many":           {Verb: "up", Workspace: "production", Apps: slices.Repeat([]report.App{app}, 50), Notes: slices.Repeat([]string{long}, 1000)},
		"a thousand":     {Verb: "up", Apps: slices.Repeat([]report.App{{Name: "web", Image: long, URL: app.URL, Records: app.Records}}, 1000)},
		"600 with plans": {Verb: "plan", Apps: manyApps(600)},
		"a megabyte": {Verb: "up", Apps: []report.App{{Name: "web", Failure: &report.Failure{
			Stage: "deploy", Cause: hcl.Diagnostics{{Summary: megabyte, Detail: megabyte}}, Serving: megabyte, Left: megabyte, Next: megabyte,
			Logs: []component.LogLine{{Instance: "web-1", Text: megabyte}},
		}}}},
		"only problems":  {Verb: "up", Problems: problems},
		"absurd wording": {Verb: long, Workspace: long, Commit: long, Repository: "https://github.example.test/octo/shop", Environment: long, Apps: []report.App{{Name: long, Records: app.Records}}},
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := report.Summary(run)
			if len(got) > 768<<10 {
				t.Errorf("the page has %d bytes, want at most 768 KiB", len(got))
			}
			if n := strings.Count(got, "\n```"); n%2 != 0 {
				t.Errorf("%d fences: one does not end", n)
			}
			if !utf8.ValidString(got) {
				t.Error("the page is cut within a character")
			}
			wants := map[string][]string{
				"one app":        {"❌ web: deploy failed", "**Serves users now:**", "The last 40 lines of the workload", "| **web** |", "and 980 more"},
				"many":           {"50 of 50 apps failed", "❌ web: deploy failed", "Parts that are left out: "},
				"a thousand":     {"Apps that are left out here: "},
				"600 with plans": {"| **app-599** | 2 to update |", "Parts that are left out: ", "### Plan for app-0"},
				"a megabyte":     {"❌ web: deploy failed", "**Next step:** ", "The last line of the workload"},
				"only problems":  {"nothing was touched", "and 980 more"},
			}
			for _, want := range wants[name] {
				if !strings.Contains(got, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
		})
	}
}
