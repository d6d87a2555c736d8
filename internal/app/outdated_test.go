package app_test

import (
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// serves checks who has the traffic.
func (m *team) serves(t *testing.T, what, deployment string) {
	t.Helper()
	if m.edge.traffic != deployment {
		t.Errorf("%s: %s serves, want %s", what, m.edge.traffic, deployment)
	}
}

// isOutdated checks that a job found itself outdated by run 101, and says so
// everywhere.
func (m *team) isOutdated(t *testing.T, what string, commit int, got ended) {
	t.Helper()
	sentence := "outdated: run 101 released " + m.sha(1)[:7] + " "
	for place, text := range map[string]string{"log": got.log, "output": got.outputs, "summary": got.summary} {
		if !strings.Contains(text, sentence) {
			t.Errorf("%s: the %s does not say %q:\n%s", what, place, sentence, text)
		}
	}
	if got.status != 0 || !strings.Contains(got.outputs, "outcome<<") || !strings.Contains(got.outputs, "\noutdated\n") {
		t.Errorf("%s: exit status %d, and outputs\n%s", what, got.status, got.outputs)
	}
	statuses := m.github.Statuses()
	if last := statuses[len(statuses)-1]; last.SHA != m.sha(commit) || last.State != "success" || !strings.HasPrefix(last.Description, sentence) {
		t.Errorf("%s: the last commit status is %s of %s: %q", what, last.State, last.SHA, last.Description)
	}
}

// Run A stands still before its release while run B, of a newer commit, goes by.
// A is outdated then, and so it is when it is run again with a shallow clone.
func TestOutdatedRun(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]string{"under a lock": "15m", "without a lock": "off"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newTeam(t, edgeApp, 2)
			inputs := []string{"INPUT_LOCK=" + lock}
			a := func(attempt, depth int, verb string, more ...string) teamJob {
				return teamJob{run: 100, attempt: attempt, name: "a-" + strings.Fields(verb)[0], depth: depth, verb: verb, inputs: append(more, inputs...)}
			}
			m.succeeds(t, a(1, 0, "build"))
			m.succeeds(t, a(1, 0, "deploy", "INPUT_FLAGS=--release=false"))
			held := m.edge.latest
			if m.edge.traffic != "" {
				t.Fatal("a deploy without a release moved traffic")
			}
			b := m.succeeds(t, teamJob{run: 101, name: "b", commit: 1, depth: 1, verb: "up", inputs: inputs})
			served := m.edge.traffic
			if served == "" || served == held || b.compares != 0 {
				t.Fatalf("%s serves after B, and GitHub compared %d times; want a deployment of B, and nothing to compare\n%s", served, b.compares, b.log)
			}

			released := m.runs(t, a(1, 0, "release"))
			m.isOutdated(t, "A let go", 0, released)
			m.serves(t, "A let go", served)
			named := m.runs(t, a(1, 0, "release", "INPUT_FLAGS=--deployment="+held))
			m.isOutdated(t, "A let go, with its deployment", 0, named)
			m.serves(t, "A let go, with its deployment", served)
			if released.compares != 1 || named.compares != 1 {
				t.Errorf("GitHub compared %d and %d times, want once for each job", released.compares, named.compares)
			}

			for _, verb := range []string{"up", "deploy", "release"} {
				again := m.runs(t, a(2, 1, verb))
				m.isOutdated(t, verb+" again", 0, again)
				m.serves(t, verb+" again", served)
			}
			if m.edge.latest != served {
				t.Errorf("run again, A deployed %s", m.edge.latest)
			}
			// B again is the same commit, of which nothing has to be asked.
			same := m.succeeds(t, teamJob{run: 101, attempt: 2, name: "b", commit: 1, depth: 1, verb: "up", inputs: inputs})
			if m.edge.traffic == served || same.compares != 0 {
				t.Errorf("B again did not release, or compared commits\n%s", same.log)
			}
		})
	}
}

// Both runs are at work at once, and nothing keeps them apart.
func TestOutdatedWithoutLock(t *testing.T) {
	t.Parallel()
	m := newTeam(t, edgeApp, 2)
	served := ""
	m.edge.during = func() {
		m.succeeds(t, teamJob{run: 101, name: "b", commit: 1, depth: 1, verb: "up", inputs: []string{"INPUT_LOCK=off"}})
		served = m.edge.traffic
	}
	got := m.runs(t, teamJob{run: 100, name: "a", depth: 1, verb: "up", inputs: []string{"INPUT_LOCK=off"}})
	m.isOutdated(t, "A", 0, got)
	m.serves(t, "A", served)
	if served == "" || m.edge.latest == served {
		t.Fatalf("B released %q while A deployed %q", served, m.edge.latest)
	}
	if note := "which this run made, is not released; prune removes it"; !strings.Contains(got.log, note) || !strings.Contains(got.summary, note) {
		t.Errorf("neither log nor summary may be silent on what is left:\n%s\n%s", got.log, got.summary)
	}
	for _, d := range m.github.Deployments() {
		want := map[bool]string{true: "success", false: "inactive"}[strings.Contains(string(d.Payload), served)]
		if d.State() != want {
			t.Errorf("the Deployment of %s is %s, want %s", d.SHA, d.State(), want)
		}
	}
	// The next one takes what A has left.
	m.succeeds(t, teamJob{run: 102, name: "c", commit: 1, depth: 1, verb: "up", inputs: []string{"INPUT_LOCK=off"}})
}

// The history that is checked out is asked before GitHub.
func TestAncestryOfTheClone(t *testing.T) {
	t.Parallel()
	m := newTeam(t, edgeApp, 3)
	m.succeeds(t, teamJob{run: 100, name: "a", verb: "up"})
	if got := m.succeeds(t, teamJob{run: 101, name: "b", commit: 2, verb: "up"}); got.compares != 0 {
		t.Errorf("with a full clone GitHub was asked to compare commits\n%s", got.log)
	}
}

// That the token may not read contents is no reason to stop: the log says it.
func TestAncestryUnknown(t *testing.T) {
	t.Parallel()
	m := newTeam(t, edgeApp, 2)
	m.github.AddToken(githubfake.Token{Text: stepToken, Permissions: []string{"actions: read", "deployments: write", "statuses: write"}})
	m.succeeds(t, teamJob{run: 101, name: "b", commit: 1, depth: 1, verb: "up"})
	served := m.edge.traffic
	got := m.runs(t, teamJob{run: 100, name: "a", depth: 1, verb: "up"})
	m.isOutdated(t, "A", 0, got)
	m.serves(t, "A", served)
	if !strings.Contains(got.log, "is not known, so the sequence of the runs decides:") || !strings.Contains(got.log, "contents: read") {
		t.Errorf("the log does not say that nobody could be asked\n%s", got.log)
	}
	got = m.succeeds(t, teamJob{run: 102, name: "c", depth: 1, verb: "up"})
	if m.edge.traffic == served || !strings.Contains(got.log, "is not known, so the sequence of the runs decides:") {
		t.Errorf("a fresh run of an older commit did not release, or did not say what it did not know\n%s", got.log)
	}
}
