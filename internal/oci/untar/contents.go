package untar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// chunk is how much of a file is held in memory at a time.
const chunk = 256 << 10

// writers is how many batches are written at the same time, and batched how many
// pieces are in one at the most.
const (
	writers = 4
	batched = 32
)

// contents fills new files, in batches of pieces, several at a time. Names are
// made, replaced and removed by whoever reads the archive, in its order; what
// happens here is done to open files, whatever becomes of their names meanwhile.
type contents struct {
	group   *errgroup.Group
	buffers chan []byte // those that no batch uses
	zeros   []byte      // as long as one, and as it sounds
	next    batch       // the one that is gathered
}

// batch is pieces of files, which lie in one buffer.
type batch struct {
	buffer []byte
	used   int64
	pieces []piece
}

// piece is a part of a file that was read.
type piece struct {
	of      *unfilled
	content []byte
	at      int64
}

// unfilled is a file whose pieces are written, in no order.
type unfilled struct {
	*os.File
	name   string
	size   int64
	finish func() error
	left   atomic.Int64 // bytes that are not written yet, and one for whoever reads them
}

// newContents also returns a context that ends with the first error.
func newContents(ctx context.Context) (*contents, context.Context) {
	c := &contents{buffers: make(chan []byte, writers), zeros: make([]byte, chunk)}
	c.group, ctx = errgroup.WithContext(ctx)
	for range writers {
		c.buffers <- make([]byte, chunk)
	}
	return c, ctx
}

// add reads the content of a file and has it be written while the archive is read
// on. Before each piece it calls check. When all is written, finish is called, and
// then the file is closed.
func (c *contents) add(file *os.File, name string, size int64, content io.Reader, check func(n int64) error, finish func() error) error {
	f := &unfilled{File: file, name: name, size: size, finish: finish}
	f.left.Store(size + 1)
	for at := int64(0); at < size; {
		n := min(size-at, chunk)
		err := check(n)
		if err == nil {
			err = c.read(f, content, at, n)
		}
		if err != nil {
			return errors.Join(err, f.written(size-at+1))
		}
		at += n
	}
	return f.written(1)
}

// read reads the next n bytes of a file.
func (c *contents) read(f *unfilled, content io.Reader, at, n int64) error {
	if c.next.used+n > chunk || len(c.next.pieces) == batched {
		c.flush()
	}
	if c.next.buffer == nil {
		c.next.buffer = <-c.buffers
	}
	data := c.next.buffer[c.next.used:][:n]
	if _, err := io.ReadFull(content, data); err != nil {
		return err
	}
	c.next.used += n
	c.next.pieces = append(c.next.pieces, piece{f, data, at})
	return nil
}

// flush begins to write what was gathered.
func (c *contents) flush() {
	ready := c.next
	c.next = batch{}
	if ready.buffer == nil {
		return
	}
	c.group.Go(func() error {
		defer func() { c.buffers <- ready.buffer }()
		var failed error
		for _, p := range ready.pieces {
			err := errors.Join(c.write(p), p.of.written(int64(len(p.content))))
			if err != nil && failed == nil {
				failed = fmt.Errorf("writing %q: %w", p.of.name, err)
			}
		}
		return failed
	})
}

// write writes a piece. One of zeros becomes a hole, so that a large empty file
// takes no room.
func (c *contents) write(p piece) error {
	if bytes.Equal(p.content, c.zeros[:len(p.content)]) {
		if p.at+int64(len(p.content)) == p.of.size {
			return p.of.Truncate(p.of.size) // a file cannot end in one without
		}
		return nil
	}
	_, err := p.of.WriteAt(p.content, p.at)
	return err
}

// written notes that so many bytes are done with. The last to do so finishes the
// file.
func (f *unfilled) written(n int64) error {
	if f.left.Add(-n) > 0 {
		return nil
	}
	return errors.Join(f.finish(), f.Close())
}

// wait waits until all is written, and returns the first error.
func (c *contents) wait() error {
	c.flush()
	return c.group.Wait()
}
