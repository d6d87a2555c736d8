package app_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/state"
)

// deployRecords returns n deployments of which all but the newest are in a
// status, newest first.
func deployRecords(n int, status state.Status) []state.Record {
	var records []state.Record
	for i := n; i > 0; i-- {
		at := time.Date(2026, 1, 2, 3, 0, i, 0, time.UTC)
		r := state.Record{
			ID: fmt.Sprintf("D%03d", i), Operation: "deploy", Status: status, Project: "shop", App: "web", Workspace: "default",
			Plugin: "null", Sequence: i, Deployment: fmt.Sprintf("web-%d", i), Started: at, Ended: at,
		}
		if i == n {
			r.Status = state.Succeeded
		}
		records = append(records, r)
	}
	return records
}

func writeState(t *testing.T, path string, header state.Header, records []state.Record) {
	t.Helper()
	var file bytes.Buffer
	if err := state.Encode(&file, header, records); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A file from which records were trimmed says that they are destroyed.
func TestImportKnowsWhatWasTrimmed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, content := range map[string]string{"waypoint.hcl": "project = \"shop\"\n", ".deploy-action/.gitignore": "*\n"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		status := app.Main(t.Context(), app.Sys{
			Args: append([]string{"deploy-action"}, args...), Dir: dir, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		})
		if status != 0 {
			t.Fatalf("%v exited %d:\n%s", args, status, &out)
		}
		return out.String()
	}
	const n = 102
	writeState(t, filepath.Join(dir, ".deploy-action", "state.jsonl.gz"), state.Header{}, deployRecords(n, state.Succeeded))
	kept, trimmed := state.Trim(deployRecords(n, state.Destroyed), state.Retention)
	if len(kept) != n-2 {
		t.Fatalf("Trim kept %d records, want %d", len(kept), n-2)
	}
	writeState(t, filepath.Join(dir, "newer.state"), state.Header{Trimmed: trimmed}, kept)

	if got, want := run("state", "import", "newer.state", "--yes"), "Imported 101 records."; !strings.Contains(got, want) {
		t.Errorf("state import says %q, want %q: all but the newest", got, want)
	}
	shown := run("state", "show", "--all", "--json")
	if got := strings.Count(shown, `"status": "destroyed"`); got != n-1 {
		t.Errorf("%d deployments are destroyed, want %d", got, n-1)
	}
}
