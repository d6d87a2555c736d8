package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
)

func openJournal(t *testing.T, path string) *state.Journal {
	t.Helper()
	j, err := state.OpenJournal(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func appendAll(t *testing.T, j *state.Journal, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := j.Append(record(id, state.Running)); err != nil {
			t.Fatal(err)
		}
	}
}

// wantIDs checks which records j has, newest first.
func wantIDs(t *testing.T, j *state.Journal, want ...string) {
	t.Helper()
	var got []string
	for _, r := range j.Records() {
		got = append(got, r.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("Records = %v, want %v", got, want)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestJournalReplays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, path)
	full := record("B", state.Running)
	full.Unknown, full.Origin.Unknown = `"later":1`, `"x":[2]`
	for _, r := range []state.Record{record("A", state.Running), full, record("A", state.Succeeded), record("A", state.Failed)} {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	want := []state.Record{full, record("A", state.Succeeded)}
	if diff := cmp.Diff(want, j.Records()); diff != "" {
		t.Errorf("the writer's records (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, openJournal(t, path).Records()); diff != "" {
		t.Errorf("the next reader's records (-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, want it for its owner alone", info.Mode())
	}
}

// TestJournalSurvivesEveryCut cuts the file behind each of its bytes, as a
// killed process or a lost power would.
func TestJournalSurvivesEveryCut(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	appendAll(t, openJournal(t, filepath.Join(folder, "whole")), "A", "B")
	whole := read(t, filepath.Join(folder, "whole"))
	path := filepath.Join(folder, "cut")
	for cut := range len(whole) {
		write(t, path, whole[:cut])
		j, err := state.OpenJournal(path, nil)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		var want []string
		for i, id := range []string{"A", "B"} {
			if lines := bytes.Count(whole[:cut], []byte("\n")); lines >= i+2 {
				want = append([]string{id}, want...)
			}
		}
		wantIDs(t, j, want...)
		if err := j.Append(record("Z", state.Running)); err != nil {
			t.Fatalf("cut at %d: Append = %v", cut, err)
		}
		wantIDs(t, j, append([]string{"Z"}, want...)...)
		if err := errors.Join(j.Refresh(), j.Close()); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		again, err := state.OpenJournal(path, nil)
		if err != nil {
			t.Fatalf("cut at %d, after Append: %v", cut, err)
		}
		wantIDs(t, again, append([]string{"Z"}, want...)...)
		again.Close()
		if t.Failed() {
			t.Fatalf("cut at byte %d of %q", cut, whole)
		}
	}
}

func TestJournalDropsALastLineThatLostItsBeginning(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	appendAll(t, openJournal(t, path), "A")
	write(t, path, append(read(t, path), "\x00\x00\x00\"running\"}\n"...))
	j := openJournal(t, path)
	wantIDs(t, j, "A")
	appendAll(t, j, "B")
	wantIDs(t, openJournal(t, path), "B", "A")
}

func TestJournalRefuses(t *testing.T) {
	t.Parallel()
	const first = `{"deploy-action":"journal","schema":1,"id":"X"}` + "\n"
	const line = `{"schema":1,"id":"A","status":"running"}` + "\n"
	newer := new(state.NewerSchemaError)
	for name, c := range map[string]struct {
		content string
		want    error
	}{
		"text":                   {"hello\n", state.ErrNotState},
		"text without a line":    {"hello", state.ErrNotState},
		"a long line":            {strings.Repeat("x", 1<<20), state.ErrNotState},
		"JSON of something else": {`{"deploy":1}` + "\n", state.ErrNotState},
		"a state file":           {`{"deploy-action":"state","schema":1}` + "\n", state.ErrNotState},
		"damage in the middle":   {first + "{}\n" + line, state.ErrDamaged},
		"a newer version's file": {`{"deploy-action":"journal","schema":2}` + "\n", newer},
		"a newer record":         {first + `{"schema":2,"id":"A"}` + "\n", newer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "journal")
			write(t, path, []byte(c.content))
			_, err := state.OpenJournal(path, nil)
			_, isNewer := errors.AsType[*state.NewerSchemaError](err)
			if !errors.Is(err, c.want) && !(c.want == newer && isNewer) {
				t.Errorf("OpenJournal = %v, want %q", err, c.want)
			}
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%q does not name the file", err)
			}
			if got := read(t, path); string(got) != c.content {
				t.Errorf("the file was changed to %q", got)
			}
		})
	}
}

// TestJournalNoticesDamageWhileOpen checks that Append does not cut off what
// somebody else broke.
func TestJournalNoticesDamageWhileOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, path)
	appendAll(t, j, "A")
	content := append(read(t, path), "oops\noops\n"...)
	write(t, path, content)
	if err := j.Append(record("B", state.Running)); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("Append = %v, want ErrDamaged", err)
	}
	if got := read(t, path); !bytes.Equal(got, content) {
		t.Errorf("the file was changed to %q", got)
	}
}

func TestJournalIsShared(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	a, b := openJournal(t, path), openJournal(t, path)
	appendAll(t, a, "A")
	appendAll(t, b, "B")
	appendAll(t, a, "C")
	wantIDs(t, a, "C", "B", "A")
	wantIDs(t, b, "B", "A")
	if err := b.Refresh(); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, b, "C", "B", "A")
}

func TestJournalTakesConcurrentAppends(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	journals := []*state.Journal{openJournal(t, path), openJournal(t, path)}
	const n = 20
	errs := make(chan error)
	for i := range n {
		go func() { errs <- journals[i%2].Append(record(fmt.Sprintf("R%02d", i), state.Running)) }()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := len(openJournal(t, path).Records()); got != n {
		t.Errorf("the journal has %d records, want %d", got, n)
	}
}

func TestJournalDrain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j, other := openJournal(t, path), openJournal(t, path)
	appendAll(t, j, "A", "B")
	if err := other.Refresh(); err != nil {
		t.Fatal(err)
	}

	cause := errors.New("upload refused")
	if err := j.Drain(func([]state.Record) error { return cause }); !errors.Is(err, cause) {
		t.Errorf("Drain = %v, want it to wrap %q", err, cause)
	}
	wantIDs(t, openJournal(t, path), "B", "A")

	var drained []state.Record
	err := j.Drain(func(records []state.Record) error {
		drained = records
		return nil
	})
	if err != nil || len(drained) != 2 {
		t.Errorf("Drain = %v with %d records, want both", err, len(drained))
	}
	wantIDs(t, j)
	if j.Size() != 0 {
		t.Errorf("Size after Drain = %d, want 0", j.Size())
	}

	// The journal grows beyond where the other one had read to.
	appendAll(t, j, "C", "D", "E")
	if err := other.Refresh(); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, other, "E", "D", "C")
	appendAll(t, other, "F")
	wantIDs(t, openJournal(t, path), "F", "E", "D", "C")
}

func TestJournalRedacts(t *testing.T) {
	t.Parallel()
	secrets := &secret.Set{}
	secrets.Add("hunter2hunter2")
	path := filepath.Join(t.TempDir(), "journal")
	j, err := state.OpenJournal(path, secrets)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	r := record("A", state.Failed)
	r.Message = "login with hunter2hunter2 refused"
	err = j.Append(r)
	if leak, ok := errors.AsType[*state.SecretError](err); !ok || leak.Field != "message" {
		t.Errorf("Append = %v, want a SecretError for message", err)
	}
	if content := read(t, path); bytes.Contains(content, []byte("hunter2")) {
		t.Errorf("the secret is in the file: %q", content)
	}
	if got := openJournal(t, path).Records(); len(got) != 1 || got[0].Message != "login with *** refused" {
		t.Errorf("Records = %v, want the record with the secret masked", got)
	}
}

func TestJournalWithoutFolder(t *testing.T) {
	t.Parallel()
	if _, err := state.OpenJournal(filepath.Join(t.TempDir(), "none", "journal"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("OpenJournal = %v, want os.ErrNotExist", err)
	}
}

func TestJournalAfterClose(t *testing.T) {
	t.Parallel()
	j, err := state.OpenJournal(filepath.Join(t.TempDir(), "journal"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(record("A", state.Running)); err == nil {
		t.Error("Append on a closed journal = nil, want an error")
	}
}
