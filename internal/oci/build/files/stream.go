package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// archive is an archive whose files are read one after another, in its own
// order: a compressed one cannot be entered in the middle.
type archive struct {
	file *viewed
	last int // number of the last file

	mu   sync.Mutex
	idle *stream // goes on behind the file that was read last; nil for none
}

// stream is one pass through an archive.
type stream struct {
	file, plain io.ReadCloser
	archive     *tar.Reader
	at          int // number of the current entry, from 1
}

// start begins a new pass.
func (a *archive) start(ctx context.Context) (*stream, error) {
	file, err := a.file.open(ctx)
	if err != nil {
		return nil, err
	}
	plain, err := decompress(file)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &stream{file: file, plain: plain, archive: tar.NewReader(plain)}, nil
}

// next goes to the next entry.
func (s *stream) next() (*tar.Header, error) {
	header, err := s.archive.Next()
	if err == nil {
		s.at++
	}
	return header, err
}

func (s *stream) close() error { return errors.Join(s.plain.Close(), s.file.Close()) }

// borrow returns a pass that has not yet come to an entry.
func (a *archive) borrow(ctx context.Context, number int) (*stream, error) {
	a.mu.Lock()
	s := a.idle
	a.idle = nil
	a.mu.Unlock()
	if s != nil && s.at < number {
		return s, nil
	}
	if s != nil {
		s.close()
	}
	return a.start(ctx)
}

// give takes a pass back.
func (a *archive) give(s *stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.idle != nil {
		a.idle.close()
		a.idle = nil
	}
	if s.at >= a.last {
		s.close()
		return
	}
	a.idle = s
}

// member is the content of one file of an archive.
type member struct {
	archive *archive
	number  int
	size    int64
}

func (m *member) open(ctx context.Context) (io.ReadCloser, error) {
	if m.size == 0 {
		return inline("").open(ctx)
	}
	s, err := m.archive.borrow(ctx, m.number)
	if err != nil {
		return nil, err
	}
	for s.at < m.number {
		if _, err := s.next(); err != nil {
			s.close()
			return nil, fmt.Errorf("reading file %d of the archive %q again: %w", m.number, m.archive.file.name, err)
		}
	}
	return &memberReader{m.archive, s}, nil
}

// memberReader reads the current entry of a pass and then gives it back.
type memberReader struct {
	archive *archive
	stream  *stream
}

// Read implements [io.Reader].
func (r *memberReader) Read(p []byte) (int, error) { return r.stream.archive.Read(p) }

// Close implements [io.Closer].
func (r *memberReader) Close() error {
	r.archive.give(r.stream)
	return nil
}
