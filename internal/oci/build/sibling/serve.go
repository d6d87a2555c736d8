package sibling

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/deploy-action/deploy-action/internal/oci"
)

// errGone says that nobody waits for the image any more.
var errGone = errors.New("the program that ordered the image is gone")

// Caller is the program that ordered an image, for the one that builds it. Its
// methods may be called concurrently.
type Caller struct {
	mu      sync.Mutex
	to      *json.Encoder
	ids     int                   // of steps and questions
	waiting map[int]chan<- answer // who asked, by question
}

// Serve reads an order, has build carry it out, and says what came of it. When
// in ends, nobody waits for that any more, and the context of build ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer, build func(context.Context, Order, *Caller) (Result, error)) error {
	from := json.NewDecoder(in)
	order, err := decodeOrder(from)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c := &Caller{to: json.NewEncoder(out), waiting: map[int]chan<- answer{}}
	go func() {
		c.read(from)
		stop(errGone)
	}()
	result, err := build(ctx, order, c)
	if err != nil {
		return c.tell(message{Failed: newFailed(err)})
	}
	return c.tell(message{Result: &result})
}

// read hands out answers until there are no more.
func (c *Caller) read(from *json.Decoder) {
	for {
		var a answer
		if from.Decode(&a) != nil {
			return
		}
		c.mu.Lock()
		asked := c.waiting[a.ID]
		delete(c.waiting, a.ID)
		c.mu.Unlock()
		if asked != nil {
			asked <- a
		}
	}
}

func (c *Caller) tell(said message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.to.Encode(said)
}

// Login asks for the login for a registry; see [Help.Login].
func (c *Caller) Login(ctx context.Context, host string) (oci.Login, error) {
	given := make(chan answer, 1)
	c.mu.Lock()
	c.ids++
	id := c.ids
	c.waiting[id] = given
	c.mu.Unlock()
	if err := c.tell(message{Ask: &question{id, host}}); err != nil {
		return oci.Login{}, err
	}
	select {
	case a := <-given:
		return a.login()
	case <-ctx.Done():
		return oci.Login{}, context.Cause(ctx)
	}
}

// Progress shows fn as a step of the program that ordered the image.
func (c *Caller) Progress(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error {
	c.mu.Lock()
	c.ids++
	id := c.ids
	c.mu.Unlock()
	if err := c.tell(message{Step: &stepMessage{ID: id, Title: title}}); err != nil {
		return err
	}
	err := fn(ctx, stepOutput{c, id})
	told := c.tell(message{Step: &stepMessage{ID: id, Done: true, Failed: newFailed(err)}})
	return cmp.Or(err, told)
}

// Note tells what the user may want to know. Who does not hear it is gone, of
// which the build learns by itself.
func (c *Caller) Note(text string) { _ = c.tell(message{Note: text}) }

// Written tells of a layer that is in the layout; as for errors, see Note.
func (c *Caller) Written(layer oci.Layer) {
	if layer.From == nil { // else it is in a repository
		_ = c.tell(message{Layer: &heldLayer{layer.DiffID, layer.Descriptor}})
	}
}

// stepOutput is the output of a step.
type stepOutput struct {
	caller *Caller
	id     int
}

// Write implements [io.Writer].
func (o stepOutput) Write(p []byte) (int, error) {
	return len(p), o.caller.tell(message{Step: &stepMessage{ID: o.id, Output: p}})
}
