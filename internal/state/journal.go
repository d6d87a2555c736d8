package state

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// maxFirst is what the first line of a journal may be at most. It is far longer
// than ours, and keeps a foreign file from being read whole.
const maxFirst = 4 << 10

// Journal is a file that keeps records through anything but the loss of its
// disk. Each record is appended as a line and is on disk when Append returns.
// Several goroutines and processes may have the same journal open: each
// operation holds the kernel's lock on the file, which ends with its process.
//
// A process that dies while it appends leaves half a line, which readers pass
// over and the next writer cuts off. Anything else that is no record is an
// error, because somebody else has written to the file.
type Journal struct {
	path    string
	secrets *secret.Set
	file    *os.File

	mu      sync.Mutex // guards what follows, and is held longer than the file's lock
	first   []byte     // the first line as it was read; a new one says that the journal was drained
	end     int64      // where the last whole line that was read ends
	records map[string]Record
}

// OpenJournal opens the journal at path, or creates it in a folder that exists,
// and reads it. What Append writes is redacted with secrets. The caller closes
// it.
//
// A file that is no journal, or a newer version's, is an error as [Decode]
// returns it, and stays as it is. Half a line at the end is no error.
func OpenJournal(path string, secrets *secret.Set) (*Journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening journal: %w", err)
	}
	j := &Journal{path: path, secrets: secrets, file: file, records: map[string]Record{}}
	err = j.Refresh()
	if err == nil && j.Size() == 0 {
		// A new file is safe only once its folder on disk knows it.
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return j, nil
}

// Append writes r, merging it with the record of the same ID as [Merge] does.
// When it returns nil, or a [*SecretError], r is on disk. After any other error
// r is not kept, everything before it is, and Append may be tried again.
func (j *Journal) Append(r Record) error {
	r, masked := Redact(r, j.secrets)
	line, err := encodeRecord(r)
	if err != nil {
		return err
	}
	err = j.locked(syscall.LOCK_EX, func() error {
		if err := j.read(); err != nil {
			return err
		}
		if err := j.write(line); err != nil {
			return err
		}
		return j.read()
	})
	if err != nil {
		return fmt.Errorf("appending to journal %q: %w", j.path, err)
	}
	return masked
}

// Refresh reads what other processes have appended or drained.
func (j *Journal) Refresh() error {
	if err := j.locked(syscall.LOCK_SH, j.read); err != nil {
		return fmt.Errorf("reading journal %q: %w", j.path, err)
	}
	return nil
}

// Records returns the records as they were after the last Append, Refresh or
// Drain, merged, newest first.
func (j *Journal) Records() []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return newestFirst(j.records)
}

// Size is the length of the journal when it was last read, in bytes.
func (j *Journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.end
}

// Drain hands the records to fn, which stores them elsewhere, and then empties
// the journal. Where fn fails the journal stays as it is. Nobody else can use
// the journal meanwhile, fn included.
func (j *Journal) Drain(fn func([]Record) error) error {
	return j.locked(syscall.LOCK_EX, func() error {
		if err := j.read(); err != nil {
			return fmt.Errorf("reading journal %q: %w", j.path, err)
		}
		if err := fn(newestFirst(j.records)); err != nil {
			return err
		}
		if err := j.file.Truncate(0); err != nil {
			return fmt.Errorf("emptying journal %q: %w", j.path, err)
		}
		return j.read()
	})
}

// Close closes the file. The journal cannot be used afterwards.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}

// locked calls fn while no other goroutine or process uses the journal in a way
// that how excludes.
func (j *Journal) locked(how int, fn func() error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		err := syscall.Flock(int(j.file.Fd()), how)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("locking: %w", err)
		}
	}
	defer func() {
		// Nothing can be done about an error, and closing the file unlocks too.
		_ = syscall.Flock(int(j.file.Fd()), syscall.LOCK_UN)
	}()
	return fn()
}

// read takes in the lines that follow the last one read. It stops before half
// a line, for that is where the next line will be written.
func (j *Journal) read() error {
	if err := j.readFirst(); err != nil || j.first == nil {
		return err
	}
	lines := bufio.NewReader(io.NewSectionReader(j.file, j.end, math.MaxInt64-j.end))
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r, err := decodeRecord(line)
		if errors.Is(err, ErrDamaged) {
			// A disk that lost its power may have kept the end of the last line
			// and not its beginning: no Append has returned for that one either.
			if _, more := lines.Peek(1); errors.Is(more, io.EOF) {
				return nil
			}
		}
		if err != nil {
			return fmt.Errorf("line at byte %d: %w", j.end, err)
		}
		keepBest(j.records, r)
		j.end += int64(len(line))
	}
}

// readFirst reads the first line. Where it is not the one that was read before,
// the journal was drained, and everything is read again.
func (j *Journal) readFirst() error {
	start := bufio.NewReader(io.NewSectionReader(j.file, 0, maxFirst))
	line, err := start.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.Equal(line, j.first) {
		return nil
	}
	j.first, j.end = nil, 0
	clear(j.records)
	if errors.Is(err, io.EOF) {
		return half(line)
	}
	if _, err := decodeHeader(kindJournal, line); err != nil {
		return err
	}
	j.first, j.end = line, int64(len(line))
	return nil
}

// half returns an error unless text is empty or the beginning of a first line
// of ours.
func half(text []byte) error {
	ours := []byte(`{"deploy-action":"` + kindJournal + `",`)
	if n := min(len(text), len(ours)); !bytes.Equal(text[:n], ours[:n]) {
		return ErrNotState
	}
	return nil
}

// write appends a line at j.end, the first one of a journal with its first line
// before it, and waits until it is on disk.
func (j *Journal) write(line []byte) error {
	// Whatever stands behind the last whole line is half of one.
	if err := j.file.Truncate(j.end); err != nil {
		return err
	}
	if j.end == 0 {
		first, err := encodeHeader(headerLine{Kind: kindJournal, ID: NewID(time.Now())}, "")
		if err != nil {
			return err
		}
		line = append(first, line...)
	}
	_, err := j.file.Write(line)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return errors.Join(explain(err), j.file.Truncate(j.end))
	}
	return nil
}

// explain says of a full disk that nothing was lost.
func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("%w; every earlier record is kept", err)
	}
	return err
}

// syncFolder makes the names in a folder survive a loss of power.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
