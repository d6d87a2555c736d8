package dirstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/dirstore"
	"github.com/deploy-action/deploy-action/internal/testkit/statetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	statetest.Run(t, func(t *testing.T) state.Store { return open(t, t.TempDir()) })
}

func open(t *testing.T, dir string) *dirstore.Store {
	t.Helper()
	s, err := dirstore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var noon = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)

// record returns a record of about 2 KB.
func record(n int, status state.Status) state.Record {
	return state.Record{
		ID: fmt.Sprintf("R%04d", n), Status: status, App: "web", Message: strings.Repeat("x", 2000),
		Started: noon.Add(time.Duration(n) * time.Second),
	}
}

// fill puts n records, more than the journal may hold where n is 40.
func fill(t *testing.T, s *dirstore.Store, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		if err := s.Put(t.Context(), record(i, state.Running)); err != nil {
			t.Fatal(err)
		}
	}
}

func wantCount(t *testing.T, s *dirstore.Store, want int) {
	t.Helper()
	got := 0
	for _, err := range s.List(t.Context(), state.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got++
	}
	if got != want {
		t.Errorf("List has %d records, want %d", got, want)
	}
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestOpenMakesAPrivateFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", ".deploy-action")
	s := open(t, dir)
	fill(t, s, 0, 40)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lock(t.Context(), "p", "web", "w", nil); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, want nothing for others", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ignore, err := os.ReadFile(filepath.Join(dir, ".gitignore"))
	if err != nil || string(ignore) != "*\n" {
		t.Errorf(".gitignore = %q, %v, want everything ignored", ignore, err)
	}
}

func TestOpenLeavesAGitignoreAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, ".gitignore")
	if err := os.WriteFile(path, []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if got, err := os.ReadFile(path); err != nil || string(got) != "mine\n" {
		t.Errorf(".gitignore = %q, %v, want it as it was", got, err)
	}
}

// TestFlushMovesALongJournal also checks that other open stores lose sight of
// nothing, whatever they had read before.
func TestFlushMovesALongJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	file := filepath.Join(dir, "state.jsonl.gz")

	fill(t, s, 0, 3)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exists(t, file) {
		t.Error("Flush moved a short journal")
	}
	wantCount(t, other, 3)

	for round := range 3 {
		fill(t, s, 3+40*round, 40)
		if round == 1 {
			wantCount(t, other, 83)
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !exists(t, file) {
			t.Error("Flush did not move a long journal")
		}
		wantCount(t, s, 43+40*round)
		wantCount(t, other, 43+40*round)
	}
	journal, err := os.Stat(filepath.Join(dir, "state.journal"))
	if err != nil || journal.Size() != 0 {
		t.Errorf("the journal has %d bytes (%v), want none", journal.Size(), err)
	}
	wantCount(t, open(t, dir), 123)

	if err := other.Put(t.Context(), record(0, state.Succeeded)); err != nil {
		t.Fatal(err)
	}
	got, err := state.Latest(t.Context(), s, state.Query{ID: "R0000"})
	if err != nil || got.Status != state.Succeeded {
		t.Errorf("Latest = %s, %v, want the update of an old record", got.Status, err)
	}
}

// TestFlushKeepsWhatItDoesNotKnow moves a journal into a file whose header and
// records have fields of a newer version.
func TestFlushKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "state.jsonl.gz")
	old := record(9999, state.Running)
	old.Unknown = `"later":true`
	var file bytes.Buffer
	if err := state.Encode(&file, state.Header{Path: "a/waypoint.hcl", Unknown: `"ranges":[1]`}, []state.Record{old}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	fill(t, s, 0, 40)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	moved, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer moved.Close()
	header, records, err := state.Decode(moved)
	if err != nil {
		t.Fatal(err)
	}
	if header.Path != "a/waypoint.hcl" || header.Unknown != `"ranges":[1]` {
		t.Errorf("header = %+v, want it kept", header)
	}
	if len(records) != 41 || records[0].Unknown != `"later":true` {
		t.Errorf("%d records, the newest with %q, want 41 and the field kept", len(records), records[0].Unknown)
	}
}

// TestFlushThatFails makes the new file impossible to write: everything stays
// where it was, and the next Flush makes good.
func TestFlushTrimsForGood(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	destroyed := func(n int) state.Record {
		r := record(n, state.Destroyed)
		r.Operation, r.Sequence, r.Deployment = "deploy", n, fmt.Sprintf("web-%d", n)
		return r
	}
	const n = 120
	for i := 1; i <= n; i++ {
		if err := s.Put(t.Context(), destroyed(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCount(t, s, state.Retention.Newest)

	// A process that read the record before it was trimmed writes it again.
	again := destroyed(3)
	again.Status = state.Succeeded
	for _, r := range []state.Record{again, record(n+1, state.Running)} {
		if err := open(t, dir).Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	wantCount(t, s, state.Retention.Newest+1)
}

func TestFlushThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	fill(t, s, 0, 40)
	obstacle := filepath.Join(dir, "state.jsonl.gz.new")
	if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "every record is kept") {
		t.Errorf("Flush = %v, want an error that says that nothing is lost", err)
	}
	wantCount(t, s, 40)
	wantCount(t, open(t, dir), 40)
	if err := os.RemoveAll(obstacle); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	wantCount(t, open(t, dir), 40)
}

// TestRecordsInBothPlaces is the state after a kill between writing the file
// and emptying the journal.
func TestRecordsInBothPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	fill(t, s, 0, 40)
	journal, err := os.ReadFile(filepath.Join(dir, "state.journal"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "state.journal"), journal, 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	wantCount(t, again, 40)
	if err := again.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCount(t, again, 40)
}

// badFiles are contents that no store may use, with what the error is.
func badFiles(t *testing.T) map[string]struct {
	content []byte
	want    error
} {
	t.Helper()
	var whole bytes.Buffer
	if err := state.Encode(&whole, state.Header{}, []state.Record{record(1, state.Failed)}); err != nil {
		t.Fatal(err)
	}
	var newer bytes.Buffer
	w := gzip.NewWriter(&newer)
	fmt.Fprintln(w, `{"deploy-action":"state","schema":99}`)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return map[string]struct {
		content []byte
		want    error
	}{
		"truncated": {whole.Bytes()[:whole.Len()/2], state.ErrTruncated},
		"not ours":  {[]byte("# notes\n"), state.ErrNotState},
		"newer":     {newer.Bytes(), nil},
	}
}

func TestOpenRefusesABadFile(t *testing.T) {
	t.Parallel()
	for name, bad := range badFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "state.jsonl.gz")
			if err := os.WriteFile(path, bad.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := dirstore.Open(dir, nil)
			checkBad(t, err, bad.want, path, bad.content)
		})
	}
}

// TestBadFileWhileOpen checks that a store does not replace a file that went
// bad behind its back.
func TestBadFileWhileOpen(t *testing.T) {
	t.Parallel()
	for name, bad := range badFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, dir)
			fill(t, s, 0, 40)
			path := filepath.Join(dir, "state.jsonl.gz")
			if err := os.WriteFile(path, bad.content, 0o600); err != nil {
				t.Fatal(err)
			}
			checkBad(t, s.Flush(t.Context()), bad.want, path, bad.content)
			_, err := state.Latest(t.Context(), s, state.Query{})
			checkBad(t, err, bad.want, path, bad.content)
		})
	}
}

// checkBad checks that err tells what is wrong with which file and what to do,
// and that the file is as it was. A nil want stands for a newer schema.
func checkBad(t *testing.T, err, want error, path string, content []byte) {
	t.Helper()
	remedy := "move it away"
	if want == nil {
		remedy = "use the version that wrote it"
		if _, ok := errors.AsType[*state.NewerSchemaError](err); !ok {
			t.Errorf("error = %v, want a NewerSchemaError", err)
		}
	} else if !errors.Is(err, want) {
		t.Errorf("error = %v, want %q", err, want)
	}
	if err != nil && (!strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), remedy)) {
		t.Errorf("%q does not name the file and the remedy", err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("the file was changed to %q, %v", got, err)
	}
}

func TestOpenRefusesABadJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "state.journal")
	content := []byte("my diary\n")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := dirstore.Open(dir, nil)
	checkBad(t, err, state.ErrNotState, path, content)
}

func TestOpenOnAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dirstore.Open(path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open = %v, want an error that names the file", err)
	}
}

func TestPutRedacts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secrets := &secret.Set{}
	secrets.Add("hunter2hunter2")
	s, err := dirstore.Open(dir, secrets)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := record(1, state.Failed)
	r.URL = "https://hunter2hunter2@example.com"
	if _, ok := errors.AsType[*state.SecretError](s.Put(t.Context(), r)); !ok {
		t.Error("Put did not return a SecretError")
	}
	got, err := state.Latest(t.Context(), s, state.Query{})
	if err != nil || got.URL != "https://***@example.com" {
		t.Errorf("Latest = %q, %v, want the URL masked", got.URL, err)
	}
}

func TestPutOnACancelledContext(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, record(1, state.Interrupted)); err != nil {
		t.Errorf("Put = %v: the record of a cancelled run is lost", err)
	}
	wantCount(t, s, 1)
}

// TestStoresOfOneFolder has two stores put and flush at once.
func TestStoresOfOneFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stores := []*dirstore.Store{open(t, dir), open(t, dir)}
	errs := make(chan error)
	const each = 50
	for i, s := range stores {
		go func() {
			var all []error
			for n := range each {
				all = append(all, s.Put(context.WithoutCancel(t.Context()), record(i*each+n, state.Running)))
				if n%20 == 19 {
					all = append(all, s.Flush(context.WithoutCancel(t.Context())))
				}
			}
			errs <- errors.Join(slices.DeleteFunc(all, func(err error) bool { return err == nil })...)
		}()
	}
	for range stores {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for _, s := range stores {
		wantCount(t, s, 2*each)
	}
}
