package app

import (
	"path/filepath"

	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// commandFiles are the variables that name the runner's command files.
var commandFiles = []string{"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"}

// jobFiles returns the files of a job with credentials, and those by which it
// is given orders. A terminal has none.
func (m *machine) jobFiles() (hidden, watched []string) {
	if !m.runner.Active() {
		return nil, nil
	}
	if temp := m.getenv("RUNNER_TEMP"); temp != "" {
		// Where actions/checkout leaves its token since its sixth version. The
		// pattern is a good one, so that there is no error.
		hidden, _ = filepath.Glob(filepath.Join(temp, "git-credentials-*.config"))
	}
	for _, name := range commandFiles {
		if path := m.getenv(name); path != "" {
			watched = append(watched, path)
		}
	}
	if journal, err := runstore.JournalPath(m.getenv); err == nil { // else there is none
		watched = append(watched, journal)
	}
	return hidden, watched
}
