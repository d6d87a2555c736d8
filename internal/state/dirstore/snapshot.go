package dirstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/deploy-action/deploy-action/internal/state"
)

// snapshot is the compressed file with the older records. It is never changed,
// only replaced, so whoever reads it needs no lock.
type snapshot struct {
	path string

	mu     sync.Mutex
	info   fs.FileInfo // of the file that was read last; nil if there was none
	header state.Header
	read   []state.Record
}

// merge returns newer records together with what the file holds, which is
// nothing where there is no file. It reads the file only when it was replaced
// since the last call.
func (s *snapshot) merge(newer []state.Record) ([]state.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	older, err := s.load()
	if err != nil {
		return nil, err
	}
	return s.header.Trimmed.Merge(newer, older), nil
}

// load returns what the file holds, to callers that hold s.mu.
func (s *snapshot) load() ([]state.Record, error) {
	file, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		s.info, s.header, s.read = nil, state.Header{}, nil
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening state: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening state: %w", err)
	}
	if same(info, s.info) {
		return s.read, nil
	}
	header, records, err := state.Decode(file)
	if err != nil {
		return nil, fmt.Errorf("state file %q: %w", s.path, err)
	}
	s.info, s.header, s.read = info, header, records
	return records, nil
}

// same reports whether two looks at the path met the same file, unchanged.
func same(a, b fs.FileInfo) bool {
	return b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// add replaces the file by one that also holds records, without what nobody
// needs any more. The caller holds the journal's lock, so that no other process
// does the same. When add returns nil the new file is on disk; otherwise the old
// one still stands.
func (s *snapshot) add(records []state.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	older, err := s.load()
	if err != nil {
		return err
	}
	header := s.header
	kept, trimmed := state.Trim(header.Trimmed.Merge(records, older), state.Retention)
	header.Trimmed = header.Trimmed.Union(trimmed)
	next := s.path + ".new"
	if err := write(next, header, kept); err != nil {
		return errors.Join(fmt.Errorf("writing %q: %w", next, err), os.Remove(next))
	}
	if err := os.Rename(next, s.path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func write(path string, header state.Header, records []state.Record) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = state.Encode(file, header, records)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}
