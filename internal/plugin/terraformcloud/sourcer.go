package terraformcloud

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/component"
)

// The most workspaces that are read at a time, and sensitive outputs of one.
const (
	parallelWorkspaces = 4
	parallelOutputs    = 4
)

// sourcer reads outputs. Each Read has a client of its own, since its requests
// end with its context.
type sourcer struct {
	http    *http.Client
	service service
	close   func()
}

var _ component.Sourcer = (*sourcer)(nil)

func openSourcer(h component.Host, c SourcerConfig) (component.Sourcer, error) {
	s, err := c.service(h.Getenv)
	if err != nil {
		return nil, err
	}
	client := *h.HTTP
	client.Transport = cmp.Or(client.Transport, http.DefaultTransport)
	if !c.SkipVerify {
		return &sourcer{http: &client, service: s, close: func() {}}, nil
	}
	shared, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("skipping the check of certificates: the HTTP client has a %T in place of a transport", client.Transport)
	}
	own := shared.Clone()
	if own.TLSClientConfig == nil {
		own.TLSClientConfig = &tls.Config{}
	}
	own.TLSClientConfig.InsecureSkipVerify = true
	client.Transport = own
	return &sourcer{http: &client, service: s, close: own.CloseIdleConnections}, nil
}

// Read implements [component.Sourcer]. A workspace is looked up and its outputs
// are listed once, whatever the number of its keys.
func (s *sourcer) Read(ctx context.Context, keys []component.Key) ([]component.Reading, error) {
	if len(keys) == 0 {
		return nil, s.signIn(ctx)
	}
	readings := make([]component.Reading, len(keys))
	asked := map[place][]question{}
	for i, key := range keys {
		p, q, err := parse(key)
		if err != nil {
			readings[i].Err = err
			continue
		}
		q.reading = &readings[i]
		asked[p] = append(asked[p], q)
	}
	if len(asked) == 0 {
		return readings, context.Cause(ctx)
	}
	c, err := connect(ctx, s.http, s.service)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelWorkspaces)
	for p, questions := range asked {
		group.Go(func() error { return c.readWorkspace(ctx, p, questions) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return readings, nil
}

// signIn asks who the token is of. A token of an organization is nobody's.
func (s *sourcer) signIn(ctx context.Context) error {
	c, err := connect(ctx, s.http, s.service)
	if err != nil {
		return err
	}
	var account struct{}
	if err := c.get(ctx, "account/details", nil, &account); !errors.Is(err, errHidden) {
		return err
	}
	return nil
}

// readWorkspace answers the questions about one workspace. Its error concerns
// the whole service; what concerns the workspace is an error of each reading.
func (c *client) readWorkspace(ctx context.Context, p place, questions []question) error {
	workspace, err := c.workspace(ctx, p)
	if errors.Is(err, errHidden) {
		refuse(questions, func(q question) error { return noWorkspace(q, p, c.service) })
		return nil
	}
	if err != nil {
		return err
	}
	outputs, err := c.list(ctx, workspace.ID)
	hidden := errors.Is(err, errHidden)
	switch {
	case err != nil && !hidden:
		return err
	case len(outputs) == 0 && workspace.CurrentStateVersion == nil:
		refuse(questions, func(q question) error { return noState(q, p) })
		return nil
	case hidden:
		refuse(questions, func(q question) error { return outputsDenied(q, p, c.service) })
		return nil
	}
	if err := c.reveal(ctx, outputs, questions); err != nil {
		return err
	}
	for _, q := range questions {
		*q.reading = q.answer(p, outputs)
	}
	return nil
}

// refuse gives every question an error of its own.
func refuse(questions []question, problem func(question) error) {
	for _, q := range questions {
		q.reading.Err = problem(q)
	}
}

// reveal reads the sensitive values that are asked for, each of which takes a
// request of its own.
func (c *client) reveal(ctx context.Context, outputs map[string]*output, questions []question) error {
	wanted := map[string]bool{}
	for _, q := range questions {
		wanted[q.output] = true
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelOutputs)
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		o := outputs[name]
		if !o.sensitive || (!wanted[name] && !wanted[allOutputs]) {
			continue
		}
		group.Go(func() error {
			value, err := c.value(ctx, o.id)
			if errors.Is(err, errHidden) {
				o.denied = true
				return nil
			}
			o.value = value
			return err
		})
	}
	return group.Wait()
}

// Close implements [component.Sourcer]: reading leaves nothing to revoke.
func (s *sourcer) Close(context.Context) error {
	s.close()
	return nil
}
