package sibling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/deploy-action/deploy-action/internal/oci"
)

// errSilent says that the other program ended without a result.
var errSilent = errors.New("the second container said nothing of the image")

// conversation is this program's end of one with the program in the container.
type conversation struct {
	help  Help
	steps map[int]*io.PipeWriter // those that are under way: what they write
	group sync.WaitGroup         // steps that are shown, and questions

	mu sync.Mutex // of say
	to *json.Encoder
}

// converse orders an image and follows the build to its end. It closes in when
// there is nothing more to say.
func converse(ctx context.Context, in io.WriteCloser, out io.Reader, order Order, help Help) (Result, error) {
	defer in.Close()
	c := &conversation{help: help, steps: map[int]*io.PipeWriter{}, to: json.NewEncoder(in)}
	defer c.end()
	if err := order.encode(c.to); err != nil {
		return Result{}, errSilent // how the container ended says why
	}
	for from := json.NewDecoder(out); ; {
		var said message
		err := from.Decode(&said)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return Result{}, errSilent
		case err != nil:
			return Result{}, fmt.Errorf("listening to the second container: %w", err)
		case said.Result != nil:
			return *said.Result, nil
		case said.Failed != nil:
			return Result{}, said.Failed.err()
		case said.Step != nil:
			c.show(ctx, *said.Step)
		case said.Ask != nil:
			c.group.Go(func() { c.answer(ctx, *said.Ask) })
		case said.Layer != nil && help.Written != nil:
			help.Written(oci.Layer{DiffID: said.Layer.DiffID, Descriptor: said.Layer.Descriptor})
		case said.Note != "":
			help.Note(said.Note)
		}
	}
}

// show takes in what is said of a step.
func (c *conversation) show(ctx context.Context, s stepMessage) {
	if s.Title != "" {
		c.begin(ctx, s)
		return
	}
	output := c.steps[s.ID]
	switch {
	case output == nil:
	case s.Done:
		output.CloseWithError(s.Failed.err()) // nil is the end of it
		delete(c.steps, s.ID)
	default:
		_, _ = output.Write(s.Output) // where nobody shows it any more, it is lost
	}
}

// begin shows a step until it is over.
func (c *conversation) begin(ctx context.Context, s stepMessage) {
	reader, writer := io.Pipe()
	c.steps[s.ID] = writer
	c.group.Go(func() {
		// Its error is the build's, which comes by itself.
		_ = c.help.Progress(ctx, s.Title, func(_ context.Context, out io.Writer) error {
			_, err := io.Copy(out, reader)
			return err
		})
		reader.Close() // nobody waits for somebody to read
	})
}

// answer answers a question.
func (c *conversation) answer(ctx context.Context, asked question) {
	login, err := c.help.Login(ctx, asked.Host)
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.to.Encode(newAnswer(asked.ID, login, err)) // who is gone needs no answer
}

// end waits until all is shown.
func (c *conversation) end() {
	for _, output := range c.steps {
		output.CloseWithError(errSilent)
	}
	c.group.Wait()
}
