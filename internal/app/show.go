package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// conclude shows what came of a verb and hands it on.
func (s *session) conclude(results []engine.Result, asJSON bool) error {
	s.results = results
	if len(results) == 0 && len(s.project.Apps()) == 0 {
		s.ui.Print("%s declares no app.", s.project.Path())
	}
	if asJSON {
		return errors.Join(s.printJSON(resultsJSON(results)), s.setOutputs(results))
	}
	for _, r := range results {
		switch {
		case r.Failure != nil, r.Outcome == engine.Outdated: // which was told where it was found
		case r.URL != "":
			s.ui.Print("%s: %s", title(r, results), r.URL)
		case r.Outcome == engine.Unchanged && r.Plan.Changes == nil:
			s.ui.Print("%s: nothing to do in workspace %q", r.App, r.Workspace)
		case r.Deployment != "":
			s.ui.Print("%s: deployed as %s", title(r, results), r.Deployment)
		}
	}
	return s.setOutputs(results)
}

func resultsJSON(results []engine.Result) []jsonResult {
	shown := make([]jsonResult, len(results))
	for i, r := range results {
		shown[i] = resultJSON(r)
	}
	return shown
}

func (s *session) printJSON(v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.output(), "%s\n", s.secrets.RedactString(string(raw)))
	return err
}

// jsonStanding is one row of status --json.
type jsonStanding struct {
	App        string                `json:"app"`
	Sequence   int                   `json:"sequence"`
	Deployment string                `json:"deployment_id"`
	Status     string                `json:"status"`
	Released   bool                  `json:"released"`
	Health     component.HealthState `json:"health"`
	Message    string                `json:"message,omitempty"`
	URL        string                `json:"url,omitempty"`
	Digest     string                `json:"digest,omitempty"`
}

func (s *session) showStandings(standings []engine.Standing, asJSON bool) error {
	if asJSON {
		rows := make([]jsonStanding, len(standings))
		for i, st := range standings {
			rows[i] = jsonStanding{
				App: st.App, Sequence: st.Record.Sequence, Deployment: st.Record.Deployment, Status: string(st.Record.Status),
				Released: st.Released, Health: st.Health.State, Message: st.Health.Message, URL: st.URL, Digest: st.Record.Digest,
			}
		}
		return s.printJSON(rows)
	}
	if len(standings) == 0 {
		s.ui.Print("Nothing is deployed in workspace %q.", s.engine.Workspace)
		return nil
	}
	rows := make([][]string, len(standings))
	for i, st := range standings {
		released := ""
		if st.Released {
			released = "released"
		}
		rows[i] = []string{
			st.App, strconv.Itoa(st.Record.Sequence), st.Record.Deployment, string(st.Record.Status), released,
			string(st.Health.State), details(st),
		}
	}
	s.ui.Print("%s", ui.Table([]string{"APP", "NO.", "DEPLOYMENT", "DEPLOY", "RELEASE", "HEALTH", "DETAILS"}, rows))
	return nil
}

// details is what a row of the status has room for: where users find the
// released deployment as long as it is well, else how the deployment fares.
func details(s engine.Standing) string {
	if s.Released && s.Health.State == component.Ready {
		return cmp.Or(s.URL, s.Health.Message)
	}
	return cmp.Or(s.Health.Message, s.URL)
}

// showCandidates lists what rollback could go back to.
func (s *session) showCandidates(ctx context.Context, o engine.Options) error {
	candidates, err := s.engine.RollbackCandidates(ctx, o)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, c := range candidates {
		how := "deployed again from its image"
		if c.Exists {
			how = "still there"
		}
		if c.Released {
			how = "released now"
		}
		rows = append(rows, []string{
			c.Record.App, strconv.Itoa(c.Record.Sequence), c.Record.Deployment,
			c.Record.Started.Local().Format("2006-01-02 15:04"), shortDigest(c.Record.Digest), how,
		})
	}
	if len(rows) == 0 {
		s.ui.Print("Nothing was released in workspace %q.", s.engine.Workspace)
		return nil
	}
	s.ui.Print("%s", ui.Table([]string{"APP", "NO.", "DEPLOYMENT", "DEPLOYED", "IMAGE", "ROLLBACK"}, rows))
	return nil
}

// shortDigest is enough of a digest for people.
func shortDigest(digest string) string {
	const prefix = len("sha256:")
	if len(digest) < prefix+12 {
		return digest
	}
	return digest[prefix : prefix+12]
}

// showLine shows one line of a workload.
func (s *session) showLine(app string, several bool, l component.LogLine) {
	line := l.Text
	if l.Instance != "" {
		line = l.Instance + ": " + line
	}
	if several {
		line = app + ": " + line
	}
	fmt.Fprintln(s.output(), line)
}

// output takes lines of text as they are on a terminal, defused on a runner.
func (s *session) output() io.Writer {
	if s.machine.runner.Active() {
		return s.machine.runner.Writer()
	}
	return s.machine.Stdout
}

// outputs takes the two streams of a command in a workload. The caller calls
// done after the last write.
func (s *session) outputs() (stdout, stderr io.Writer, done func()) {
	if !s.machine.runner.Active() {
		return s.machine.Stdout, s.machine.Stderr, func() {}
	}
	w := s.machine.runner.Writer()
	return w, w, func() { _ = w.Close() } // it writes to the log, whose errors have no other place
}
