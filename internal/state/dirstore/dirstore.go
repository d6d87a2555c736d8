// Package dirstore keeps records in a folder: the store of a terminal, and of
// state: dir in a runner that keeps its disk.
//
// The folder holds
//
//	state.journal         records as they are put, one line each
//	state.jsonl.gz        everything older, as state.Encode writes it
//	locks/PROJECT/APP/…   one file per lock, with its holder
//	.gitignore            nothing in here is for a repository
//
// Put appends to the journal and nothing else, so there is no moment at which
// a record that was put could be lost. Flush moves a journal that has grown to
// the compressed file: it writes the union of both, without what state.Trim
// takes out, under a new name, makes it the file by renaming, and only then
// empties the journal. A process that is killed between the two leaves records
// in both places, which merge to the same. Readers look at the journal first and
// at the file second, so they miss nothing that is moved meanwhile.
//
// Any number of processes may use one folder at once. The kernel's file locks
// keep them apart and end with their holder, however it ended. Network file
// systems without such locks are not supported.
package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
)

// moveAt is the length of the journal from which Flush moves it: some forty
// deploys, which are read again in two milliseconds.
const moveAt = 64 << 10

// Store is a [state.Store] in a folder, safe for concurrent use.
type Store struct {
	// Verb is what this process does. Whoever waits for a lock of it is told;
	// set it before the first Lock.
	Verb string

	dir     string
	journal *state.Journal
	older   *snapshot
}

var _ state.Store = (*Store)(nil)

// Open opens the store in dir and makes the folder where there is none. What is
// put is redacted with secrets. The caller closes it.
//
// Where a file in dir cannot be used the error names it, says what to do, and
// wraps what [state.Decode] returned; no file was changed then.
func Open(dir string, secrets *secret.Set) (*Store, error) {
	if err := Prepare(dir); err != nil {
		return nil, fmt.Errorf("preparing state folder: %w", err)
	}
	older := &snapshot{path: filepath.Join(dir, "state.jsonl.gz")}
	if _, err := older.merge(nil); err != nil {
		return nil, unusable(err)
	}
	journal, err := state.OpenJournal(filepath.Join(dir, "state.journal"), secrets)
	if err != nil {
		return nil, unusable(err)
	}
	return &Store{dir: dir, journal: journal, older: older}, nil
}

// Prepare makes the folder of a store, and keeps it out of the repository around
// it.
func Prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ignore, err := os.OpenFile(filepath.Join(dir, ".gitignore"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = ignore.WriteString("*\n")
	return errors.Join(err, ignore.Close())
}

// unusable adds to the error of a bad file what to do about it.
func unusable(err error) error {
	bad := errors.Is(err, state.ErrTruncated) || errors.Is(err, state.ErrDamaged) || errors.Is(err, state.ErrNotState)
	if !bad {
		return err
	}
	return fmt.Errorf("%w; nothing was changed: put a good copy of the file back, or, to go on without the records in it, move it away", err)
}

// Close closes the files. Locks that are still held stay so until their unlock
// or the end of the process.
func (s *Store) Close() error { return s.journal.Close() }

// Put implements [state.Store]. It does not look at the context: a record that
// was made must be kept, also when the run is being cancelled.
func (s *Store) Put(_ context.Context, r state.Record) error { return s.journal.Append(r) }

// List implements [state.Store]. It sees what other processes have put.
func (s *Store) List(_ context.Context, q state.Query) iter.Seq2[state.Record, error] {
	return func(yield func(state.Record, error) bool) {
		records, err := s.records()
		if err != nil {
			yield(state.Record{}, err)
			return
		}
		for _, r := range records {
			if state.Match(q, r) && !yield(r, nil) {
				return
			}
		}
	}
}

func (s *Store) records() ([]state.Record, error) {
	// The order matters: see the package comment.
	if err := s.journal.Refresh(); err != nil {
		return nil, unusable(err)
	}
	records, err := s.older.merge(s.journal.Records())
	if err != nil {
		return nil, unusable(err)
	}
	return records, nil
}

// Flush implements [state.Store]. Records are on disk since Put; Flush only
// moves a long journal, and where it fails nothing was lost.
func (s *Store) Flush(context.Context) error {
	if s.journal.Size() < moveAt {
		return nil
	}
	err := s.journal.Drain(s.older.add)
	if err != nil {
		return fmt.Errorf("compacting state, of which every record is kept: %w", unusable(err))
	}
	return nil
}
