package buildkit

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	controlapi "github.com/moby/buildkit/api/services/control"

	"github.com/deploy-action/deploy-action/internal/oci/build/failure"
)

// board shows the daemon's steps as ours, and remembers what went wrong.
type board struct {
	Request
	steps  map[string]*step // by digest
	group  sync.WaitGroup
	failed *step // the last that did
}

// step is one of the daemon's.
type step struct {
	name   string
	output *io.PipeWriter // what the one who shows it reads
	last   failure.Tail
	err    string
}

func newBoard(req Request) *board { return &board{Request: req, steps: map[string]*step{}} }

// show takes in a report.
func (b *board) show(ctx context.Context, status *controlapi.StatusResponse) {
	for _, v := range status.Vertexes {
		s := b.steps[v.Digest]
		if s == nil && v.Started != nil && shown(v.Name) {
			s = b.begin(ctx, v)
		}
		if s == nil || v.Completed == nil {
			continue
		}
		if v.Error == "" {
			s.output.Close()
			continue
		}
		s.err = v.Error
		s.output.CloseWithError(errors.New(v.Error))
		if !strings.Contains(v.Error, context.Canceled.Error()) {
			b.failed = s
		}
	}
	for _, l := range status.Logs {
		if s := b.steps[l.Vertex]; s != nil {
			_, _ = s.output.Write(l.Msg) // late output of a step that is over is only kept
			_, _ = s.last.Write(l.Msg)   // which never fails
		}
	}
}

// shown reports whether a step is of interest: it is the Dockerfile's.
func shown(name string) bool {
	return name != "" && !strings.HasPrefix(name, "[internal]") && !strings.HasPrefix(name, "exporting ")
}

// begin shows a step until it is over.
func (b *board) begin(ctx context.Context, v *controlapi.Vertex) *step {
	reader, writer := io.Pipe()
	s := &step{name: v.Name, output: writer}
	b.steps[v.Digest] = s
	title := v.Name
	if v.Cached {
		title += " (cached)"
	}
	b.group.Go(func() {
		// Its error is the build's, which comes from the daemon in full.
		_ = b.Progress(ctx, title, func(_ context.Context, out io.Writer) error {
			_, err := io.Copy(out, reader)
			return err
		})
		reader.Close() // nobody waits for somebody to read
	})
	return s
}

// end waits until all is shown.
func (b *board) end() {
	for _, s := range b.steps {
		s.output.Close()
	}
	b.group.Wait()
}
