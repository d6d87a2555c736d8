package solve

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"sync"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/graph"
)

// layer is a layer that may still be compressed while later steps go on, or
// that was made by an earlier build.
type layer struct {
	write   func(context.Context, *tar.Writer) error // into an archive; nil for one of an earlier build
	done    chan struct{}
	written oci.Layer // valid once done is closed
	key     string    // of the record that it was found by; "" for one that is made now

	early   v1.Hash      // the digest of its content, if that is known before it is written
	hashing sync.Mutex   // guards early
	reading sync.RWMutex // held by those that call write, while what it reads is there

	fetching sync.Mutex  // held while it is copied into the layout
	asked    atomic.Bool // whether that was begun ahead of time
}

// addLayer begins to write a layer into the layout. write is called more than
// once; after is called when it will not be called for the layout again.
func (s *solver) addLayer(ctx context.Context, write func(context.Context, *tar.Writer) error, after func()) *layer {
	return s.begin(ctx, &layer{write: write, done: make(chan struct{})}, after)
}

// begin does so for a layer that has been made ready.
func (s *solver) begin(ctx context.Context, l *layer, after func()) *layer {
	s.pending.Add(1)
	s.group.Go(func() error {
		defer func() {
			l.reading.Lock() // whoever still reads for the digest comes to an end
			defer l.reading.Unlock()
			after()
		}()
		select {
		case s.writers <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		defer func() { <-s.writers }()
		var err error
		if l.written, err = s.Layout.AddLayer(ctx, l.write); err != nil {
			return err
		}
		s.pending.Add(-1)
		close(l.done)
		return nil
	})
	return l
}

// want notes which steps make layers of the result: the step itself, and what
// its result is on top of.
func (s *solver) want(step *graph.Step) {
	if step == nil || s.wanted[step] {
		return
	}
	s.wanted[step] = true
	for i, in := range step.Inputs {
		if step.Op.GetMerge() != nil || baseOf(step.Op) == i {
			s.want(in.Step)
		}
	}
}

// tell tells of layers of the result once they are written, but not of what is
// done last: whoever waits for the result then sees it anyway.
func (s *solver) tell(ctx context.Context, layers []*layer) {
	for _, l := range layers {
		if l.key != "" && (l.written.From != nil || !s.Layout.Holds(l.written)) {
			continue // it stays in the cache until the push
		}
		s.group.Go(func() error {
			select {
			case <-l.done:
			case <-ctx.Done():
				return nil // why is told by whoever ended it
			}
			if s.pending.Load() > 0 {
				s.Written(l.written)
			}
			return nil
		})
	}
}

// diffID returns the digest of the layer's content, without waiting for it to
// be compressed.
func (l *layer) diffID(ctx context.Context) (v1.Hash, error) {
	l.hashing.Lock()
	defer l.hashing.Unlock()
	if l.early != (v1.Hash{}) {
		return l.early, nil
	}
	l.reading.RLock()
	defer l.reading.RUnlock()
	select {
	case <-l.done:
		l.early = l.written.DiffID
		return l.early, nil
	default:
	}
	content := sha256.New()
	archive := tar.NewWriter(content)
	err := l.write(ctx, archive)
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return v1.Hash{}, err
	}
	l.early = hashOf(content)
	return l.early, nil
}

func hashOf(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// open returns the layer's archive from the layout, once it is there.
func (s *solver) open(ctx context.Context, l *layer) (io.ReadCloser, error) {
	select {
	case <-l.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := s.fetch(ctx, l); err != nil {
		return nil, err
	}
	return s.Layout.OpenLayer(l.written.Descriptor, l.written.DiffID)
}

// replay returns the layer's archive from what it is made of. Closing it waits
// until nothing is read for it any more.
func (l *layer) replay(ctx context.Context) io.ReadCloser {
	return piped(func(to io.Writer) error {
		archive := tar.NewWriter(to)
		if err := l.write(ctx, archive); err != nil {
			return err
		}
		return archive.Close()
	})
}

// pipe is what another goroutine writes.
type pipe struct {
	*bufio.Reader
	source *io.PipeReader
	ended  chan struct{}
}

// piped returns what write writes, for reading. Closing it waits until write has
// returned.
func piped(write func(io.Writer) error) *pipe {
	reader, writer := io.Pipe()
	p := &pipe{bufio.NewReaderSize(reader, copyBuffer), reader, make(chan struct{})}
	go func() {
		defer close(p.ended)
		buffer := bufio.NewWriterSize(writer, copyBuffer)
		err := write(buffer)
		if err == nil {
			err = buffer.Flush()
		}
		writer.CloseWithError(err)
	}()
	return p
}

// Close implements [io.Closer].
func (p *pipe) Close() error {
	p.source.Close()
	<-p.ended
	return nil
}
