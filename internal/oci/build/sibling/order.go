package sibling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Order says what to build, in the words of package build's Request. Its paths
// are the same in both containers.
type Order struct {
	Root, Context, Dockerfile string

	Target   string
	Args     map[string]string
	Labels   map[string]string
	Secrets  map[string]secret.Text `json:"-"`
	Platform string
	NoCache  bool

	Time      time.Time
	KeepTimes bool

	Layout      string // folder of the layout that the image goes to
	Compression string
	Level       int
	KeepBase    bool

	Steps, Caches string
	Remote        *Remote // nil for none

	Environ []string // NAME=VALUE, for the client that reads images; filled in by Build
}

// Remote is a repository that keeps what steps made.
type Remote struct {
	Name     string
	Insecure bool
	SignsIn  bool // with a login of its own: see [Help.Login]
	Read     []string
	Write    string
}

// Result is a built image.
type Result struct {
	Digest       string
	Architecture string
	Bases        map[string]string // digests by name
}

// Help is what a build in the other container needs of this one.
type Help struct {
	// Login returns the login for a registry; for "" that of the repository with
	// the steps.
	Login func(ctx context.Context, host string) (oci.Login, error)

	Written  func(oci.Layer) // told of layers that are in the layout; nil for nobody
	Progress func(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error
	Note     func(text string)
}

// wireOrder is an order on its way. The values of its secrets go to the input of
// the program that needs them, and nowhere else.
type wireOrder struct {
	Order
	Values map[string]string
}

func (o Order) encode(to *json.Encoder) error {
	wire := wireOrder{o, map[string]string{}}
	for id, value := range o.Secrets {
		wire.Values[id] = value.Reveal()
	}
	return to.Encode(wire)
}

func decodeOrder(from *json.Decoder) (Order, error) {
	var wire wireOrder
	if err := from.Decode(&wire); err != nil {
		return Order{}, fmt.Errorf("reading what to build: %w", err)
	}
	wire.Secrets = map[string]secret.Text{}
	for id, value := range wire.Values {
		wire.Secrets[id] = secret.Text(value)
	}
	return wire.Order, nil
}

// message is what the program in the container says: one of these.
type message struct {
	Step   *stepMessage `json:",omitempty"`
	Note   string       `json:",omitempty"`
	Layer  *heldLayer   `json:",omitempty"`
	Ask    *question    `json:",omitempty"`
	Result *Result      `json:",omitempty"`
	Failed *failed      `json:",omitempty"`
}

// heldLayer is a layer that the layout has.
type heldLayer struct {
	DiffID     v1.Hash
	Descriptor v1.Descriptor
}

// stepMessage tells of a step: that it begins, what it writes, or its end.
type stepMessage struct {
	ID     int
	Title  string  `json:",omitempty"` // it begins
	Output []byte  `json:",omitempty"`
	Done   bool    `json:",omitempty"`
	Failed *failed `json:",omitempty"`
}

// question asks for a login.
type question struct {
	ID   int
	Host string
}

// answer answers it.
type answer struct {
	ID                                       int
	Username, Password, Identity, Registered string
	Failed                                   *failed `json:",omitempty"`
}

func newAnswer(id int, login oci.Login, err error) answer {
	return answer{id, login.Username, login.Password.Reveal(), login.IdentityToken.Reveal(), login.RegistryToken.Reveal(), newFailed(err)}
}

func (a answer) login() (oci.Login, error) {
	return oci.Login{
		Username: a.Username, Password: secret.Text(a.Password),
		IdentityToken: secret.Text(a.Identity), RegistryToken: secret.Text(a.Registered),
	}, a.Failed.err()
}

// failed is an error on its way.
type failed struct {
	Text    string // of an error that is no problem, or what stands before the problem
	Problem *diag.Problem
	Cause   string // of the problem
}

// newFailed packs an error; nil stays nil.
func newFailed(err error) *failed {
	if err == nil {
		return nil
	}
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok {
		return &failed{Text: err.Error()}
	}
	packed := &failed{Problem: &diag.Problem{Summary: problem.Summary, Detail: problem.Detail, Attr: problem.Attr}}
	packed.Text, ok = strings.CutSuffix(err.Error(), problem.Error())
	if !ok {
		packed.Text = ""
	}
	if problem.Err != nil {
		packed.Cause = problem.Err.Error()
	}
	return packed
}

// err is the error again.
func (f *failed) err() error {
	switch {
	case f == nil:
		return nil
	case f.Problem == nil:
		return errors.New(f.Text)
	}
	problem := *f.Problem
	if f.Cause != "" {
		problem.Err = errors.New(f.Cause)
	}
	if f.Text == "" {
		return &problem
	}
	return fmt.Errorf("%s%w", f.Text, &problem)
}
