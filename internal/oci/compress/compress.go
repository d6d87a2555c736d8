// Package compress compresses layers in blocks. How many of these are
// compressed at the same time changes how long that takes, and never the
// bytes: each block stands for itself.
//
// Layers side by side are better than blocks side by side, since nothing then
// waits in memory. So a layer takes help only from processors that have no
// layer of their own.
package compress

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Format is how layers are compressed.
type Format string

// The formats. Every reader of images knows gzip; those of before 2021 do not
// know zstd.
const (
	Gzip Format = "gzip"
	Zstd Format = "zstd"
)

// Highest returns the highest level of a format. The lowest is 1.
func (f Format) Highest() int {
	if f == Zstd {
		return 22
	}
	return 9
}

// Settings say how to compress.
type Settings struct {
	Format Format // "" is [Gzip]
	Level  int    // as the format's own tools count; 0 is 1, the fastest
}

// blockSize is how much is compressed by itself. Larger blocks would save less
// than a percent of size.
const blockSize = 512 << 10

// Pool shares the processors between layers, and memory from one layer to the
// next. It may be used concurrently.
type Pool struct {
	busy chan struct{} // one entry for each processor that compresses

	mu       sync.Mutex
	blocks   []*block
	deflates map[int][]*flate.Writer // by level
}

// NewPool returns a pool of all processors.
func NewPool() *Pool {
	return &Pool{busy: make(chan struct{}, runtime.GOMAXPROCS(0)), deflates: map[int][]*flate.Writer{}}
}

// codec is a format. Blocks are encoded in any order, and added in theirs.
type codec interface {
	header() []byte
	encode(packed, plain []byte) ([]byte, error) // appends to packed; may run concurrently
	trailer() []byte
	add(plain []byte) // counts what the trailer tells
}

// Writer compresses what is written to it.
type Writer struct {
	to    io.Writer
	pool  *Pool
	codec codec

	current *block
	queue   []*block // on their way, oldest first
	err     error
}

// block is a part of a layer.
type block struct {
	plain, packed []byte
	err           error
	done          chan struct{}
}

// NewWriter returns a writer that compresses into another one. It waits for a
// free processor, which Release gives back. The result is complete after Close.
func (p *Pool) NewWriter(ctx context.Context, to io.Writer, s Settings) (*Writer, error) {
	coded, err := newCodec(p, s)
	if err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	select {
	case p.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	w := &Writer{to: to, pool: p, codec: coded}
	_, w.err = to.Write(coded.header())
	return w, nil
}

// Write implements [io.Writer].
func (w *Writer) Write(data []byte) (int, error) {
	written := 0
	for len(data) > 0 && w.err == nil {
		if w.current == nil {
			w.current = w.pool.fresh()
		}
		n := min(len(data), blockSize-len(w.current.plain))
		w.current.plain = append(w.current.plain, data[:n]...)
		data, written = data[n:], written+n
		if len(w.current.plain) == blockSize {
			w.err = w.pack()
		}
	}
	return written, w.err
}

// Close writes what is left, and the end.
func (w *Writer) Close() error {
	if w.err == nil && w.current != nil {
		w.err = w.pack()
	}
	for w.err == nil && len(w.queue) > 0 {
		w.err = w.emit()
	}
	if w.err == nil {
		_, w.err = w.to.Write(w.codec.trailer())
	}
	return w.err
}

// Release gives the processor back, once nothing is compressed any more. It
// must be called once, whether all went well or not.
func (w *Writer) Release() {
	for _, b := range w.queue {
		<-b.done
	}
	<-w.pool.busy
}

// pack compresses the current block: on another processor if there is a free
// one, and else on this one.
func (w *Writer) pack() error {
	b := w.current
	w.current = nil
	w.codec.add(b.plain)
	w.queue = append(w.queue, b)
	select {
	case w.pool.busy <- struct{}{}:
		go func() {
			defer func() { <-w.pool.busy }()
			w.encode(b)
		}()
	default:
		w.encode(b)
	}
	for len(w.queue) > 0 {
		if len(w.queue) <= cap(w.pool.busy) && !w.queue[0].ready() {
			return nil
		}
		if err := w.emit(); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) encode(b *block) {
	defer close(b.done)
	b.packed, b.err = w.codec.encode(b.packed[:0], b.plain)
}

// emit writes the oldest block, once it is compressed.
func (w *Writer) emit() error {
	b := w.queue[0]
	<-b.done
	w.queue = w.queue[1:]
	err := b.err
	if err == nil {
		_, err = w.to.Write(b.packed)
	}
	w.pool.mu.Lock()
	w.pool.blocks = append(w.pool.blocks, b)
	w.pool.mu.Unlock()
	return err
}

// fresh returns an empty block.
func (p *Pool) fresh() *block {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.blocks) - 1
	if last < 0 {
		return &block{plain: make([]byte, 0, blockSize), done: make(chan struct{})}
	}
	b := p.blocks[last]
	p.blocks = p.blocks[:last]
	b.plain, b.done = b.plain[:0], make(chan struct{})
	return b
}

// ready reports whether the block is compressed.
func (b *block) ready() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}
