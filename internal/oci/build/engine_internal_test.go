package build

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

func TestRuns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dockerfile, target string
		want               bool
	}{
		"files alone":            {"FROM scratch\nCOPY a /\nCMD echo a", "", false},
		"a command":              {"FROM scratch\nRUN a", "", true},
		"in a stage that counts": {"FROM scratch AS one\nRUN a\nFROM scratch\nCOPY --from=one /a /", "", true},
		"in one that does not":   {"FROM scratch AS one\nRUN a\nFROM scratch\nCOPY a /", "", false},
		"after the target":       {"FROM scratch AS one\nCOPY a /\nFROM one\nRUN a", "one", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "Dockerfile")
			if err := os.WriteFile(file, []byte(test.dockerfile), 0o644); err != nil {
				t.Fatal(err)
			}
			layout, err := oci.OpenLayout(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			got, err := Runs(t.Context(), Request{Root: dir, Context: dir, Dockerfile: file, Target: test.target, Layout: layout})
			if err != nil || got != test.want {
				t.Errorf("Runs = %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

func TestSuits(t *testing.T) {
	t.Parallel()
	unread := errors.New("the Dockerfile cannot be read")
	tests := map[string]struct {
		rung sandbox.Rung
		runs bool
		err  error // of looking whether there are commands
		want bool
		why  string
	}{
		"mounts":                          {sandbox.Mounts, true, nil, true, "commands run with mount and process namespaces"},
		"nobody asks where it is all one": {sandbox.UserNamespace, true, unread, true, "commands run with a user namespace"},
		"beside this program":             {sandbox.Swap, true, nil, false, "here commands could only run in this container's own root folder, from where they reach what is mounted into it"},
		"nothing to run there":            {sandbox.Swap, false, nil, true, "no command is to be run"},
		"nowhere":                         {0, true, nil, false, "this machine permits no namespaces to run commands in"},
		"nothing to run":                  {0, false, nil, true, "no command is to be run"},
		"unreadable":                      {0, false, unread, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, why, err := suits(test.rung, func() (bool, error) { return test.runs, test.err })
			if wantErr := test.why == "" && test.err != nil; (err != nil) != wantErr {
				t.Fatalf("suits ended with %v", err)
			}
			if got != test.want || why != test.why {
				t.Errorf("suits = %v, %q, want %v, %q", got, why, test.want, test.why)
			}
		})
	}
}
