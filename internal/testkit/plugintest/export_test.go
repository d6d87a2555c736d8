package plugintest

import "testing"

// Contract is what a case checks, for tests that break one promise at a time.
type Contract interface{ contract() (*subject, []check) }

// Broken runs the check of that name, or all where it is "", and returns the
// errors of those that fail, by name. The example is read from folder.
func Broken(t *testing.T, c Contract, folder, only string) map[string]error {
	t.Helper()
	s, checks := c.contract()
	s.folder = folder
	broken := map[string]error{}
	for _, c := range checks {
		if only != "" && only != c.name {
			continue
		}
		if err := c.run(t, s); err != nil {
			broken[c.name] = err
		}
	}
	return broken
}
