package runstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestJournalPath(t *testing.T) {
	t.Parallel()
	temp, commands := t.TempDir(), t.TempDir()
	gone := filepath.Join(temp, "gone")
	env := func(temp, state string) map[string]string {
		return map[string]string{"RUNNER_TEMP": temp, "GITHUB_STATE": state, "GITHUB_RUN_ID": "42", "GITHUB_RUN_ATTEMPT": "2"}
	}
	const name = "deploy-action-42-2.journal"
	cases := map[string]struct {
		env     map[string]string
		mounted bool
		want    string // "" for an error
	}{
		"mounted":                   {env(temp, filepath.Join(commands, "state")), true, filepath.Join(temp, name)},
		"of the container itself":   {env(temp, filepath.Join(commands, "state")), false, filepath.Join(commands, name)},
		"old runner":                {env("", filepath.Join(commands, "state")), false, filepath.Join(commands, name)},
		"on the host":               {env(temp, ""), false, filepath.Join(temp, name)},
		"state's folder is missing": {env(temp, filepath.Join(gone, "state")), false, filepath.Join(temp, name)},
		"nothing exists":            {env(gone, filepath.Join(gone, "state")), false, ""},
		"no runner":                 {nil, false, ""},
		"run is no number": {
			map[string]string{"RUNNER_TEMP": temp, "GITHUB_RUN_ID": "../x"}, true, filepath.Join(temp, "deploy-action-0-0.journal"),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := journalPath(func(name string) string { return c.env[name] }, func(string) bool { return c.mounted })
			if got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("journalPath() = %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestMounted(t *testing.T) {
	t.Parallel()
	if mounted("/") {
		t.Error("the root counts as mounted")
	}
	if mounted(filepath.Join(t.TempDir(), "gone")) {
		t.Error("a folder that is not there counts as mounted")
	}
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil || !strings.Contains(string(table), " /proc proc ") {
		t.Skip("no /proc to look at")
	}
	if !mounted("/proc") {
		t.Error("/proc does not count as mounted")
	}
}
