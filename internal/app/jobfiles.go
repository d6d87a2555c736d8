package app

import (
	"path/filepath"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// commandFiles are the variables that name the runner's command files.
var commandFiles = []string{"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"}

// loginFiles are the variables that name files from which credential helpers
// take what they sign in to registries with, and loginsAtHome those that need no
// variable.
var (
	loginFiles   = []string{"AWS_SHARED_CREDENTIALS_FILE", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", "REGISTRY_AUTH_FILE"}
	loginsAtHome = []string{
		".aws/credentials", ".azure/msal_token_cache.json", ".config/containers/auth.json",
		".config/gcloud/application_default_credentials.json", ".config/gcloud/access_tokens.db", ".config/gcloud/credentials.db",
	}
)

// jobFiles returns the files with credentials, by the variables of an app, and
// those by which a job is given orders.
func (m *machine) jobFiles(getenv func(string) string) (hidden, watched []string) {
	if config := oci.DockerConfigPath(getenv); config != "" {
		// Also one that a command makes gives orders: it names programs to start.
		hidden, watched = append(hidden, config), append(watched, config)
	}
	for _, name := range loginFiles {
		if path := getenv(name); path != "" {
			hidden = append(hidden, path)
		}
	}
	if home := getenv("HOME"); home != "" {
		for _, path := range loginsAtHome {
			hidden = append(hidden, filepath.Join(home, path))
		}
	}
	hidden, watched = m.fromDir(hidden), m.fromDir(watched)
	if !m.runner.Active() {
		return hidden, watched
	}
	if temp := m.getenv("RUNNER_TEMP"); temp != "" {
		// Where actions/checkout leaves its token since its sixth version. The
		// pattern is a good one, so that there is no error.
		tokens, _ := filepath.Glob(filepath.Join(temp, "git-credentials-*.config"))
		hidden = append(hidden, tokens...)
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
