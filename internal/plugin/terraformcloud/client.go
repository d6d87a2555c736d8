package terraformcloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hashicorp/go-tfe"

	"github.com/deploy-action/deploy-action/internal/retry"
)

const (
	// largestPage is the most that the service puts on one page.
	largestPage = 100

	// processing is the pause after the answer that a new state is not
	// processed yet, which takes some seconds.
	processing = 5 * time.Second

	// longestPause bounds what a service can ask for.
	longestPause = time.Minute

	rateReset = "X-RateLimit-Reset"
)

// errHidden is the answer for what does not exist or is not allowed. The
// service does not say which.
var errHidden = errors.New("not found, or not allowed")

// client sends the requests of one Read.
type client struct {
	api     *tfe.Client
	service service
}

// connect greets the service, from which the library learns the rate limit. The
// client is no longer of use when ctx has ended.
func connect(ctx context.Context, base *http.Client, s service) (*client, error) {
	c := &client{service: s}
	err := c.try(ctx, func(ctx context.Context) error {
		bound := *base
		bound.Transport = careful(ctx, base.Transport)
		var err error
		// Address and token are never empty, so that the library does not look
		// for them in the process's environment.
		c.api, err = tfe.NewClient(&tfe.Config{Address: s.address.String(), Token: s.token.Reveal(), HTTPClient: &bound})
		return err
	})
	return c, err
}

// roundTrip is a function as an [http.RoundTripper].
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// careful mends two habits of go-tfe v1.111.2: its greeting has no context, and
// it ends the process over a reset header that is no number.
func careful(ctx context.Context, base http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Context().Done() == nil {
			req = req.WithContext(ctx)
		}
		resp, err := base.RoundTrip(req)
		if err == nil {
			if _, invalid := strconv.ParseFloat(resp.Header.Get(rateReset), 64); invalid != nil {
				resp.Header.Del(rateReset)
			}
		}
		return resp, err
	})
}

// workspace finds a workspace by its name.
func (c *client) workspace(ctx context.Context, p place) (*tfe.Workspace, error) {
	var workspace *tfe.Workspace
	err := c.try(ctx, func(ctx context.Context) error {
		var err error
		workspace, err = c.api.Workspaces.Read(ctx, p.organization, p.workspace)
		return err
	})
	return workspace, err
}

// resource is an output as the service sends it. The library's own type holds
// numbers as float64, which would change long ones.
type resource struct {
	ID         string `json:"id"`
	Attributes struct {
		Name      string `json:"name"`
		Sensitive bool   `json:"sensitive"`
		Value     any    `json:"value"` // a number is a json.Number
	} `json:"attributes"`
}

// list returns the outputs of a workspace by name. Sensitive ones come without
// their value.
func (c *client) list(ctx context.Context, workspaceID string) (map[string]*output, error) {
	outputs := map[string]*output{}
	path := "workspaces/" + url.PathEscape(workspaceID) + "/current-state-version-outputs"
	// The published API sends all outputs at once here. Other lists come in
	// pages, so this one is read in pages wherever the answer says that it has
	// more than one.
	for page := 1; ; {
		var answer struct {
			Data []resource `json:"data"`
			Meta struct {
				Pagination struct {
					Next int `json:"next-page"`
				} `json:"pagination"`
			} `json:"meta"`
		}
		if err := c.get(ctx, path, tfe.ListOptions{PageNumber: page, PageSize: largestPage}, &answer); err != nil {
			return nil, err
		}
		for _, r := range answer.Data {
			outputs[r.Attributes.Name] = &output{id: r.ID, sensitive: r.Attributes.Sensitive, value: r.Attributes.Value}
		}
		if answer.Meta.Pagination.Next <= page {
			return outputs, nil
		}
		page = answer.Meta.Pagination.Next
	}
}

// value returns the value of one output, also of a sensitive one.
func (c *client) value(ctx context.Context, outputID string) (any, error) {
	var answer struct {
		Data resource `json:"data"`
	}
	err := c.get(ctx, "state-version-outputs/"+url.PathEscape(outputID), nil, &answer)
	return answer.Data.Attributes.Value, err
}

// get reads a document of the API into a pointer.
func (c *client) get(ctx context.Context, path string, query, into any) error {
	return c.try(ctx, func(ctx context.Context) error {
		req, err := c.api.NewRequest(http.MethodGet, path, query)
		if err != nil {
			return err
		}
		var body bytes.Buffer
		if err := req.Do(ctx, &body); err != nil {
			return err
		}
		decoder := json.NewDecoder(&body)
		decoder.UseNumber()
		return decoder.Decode(into)
	})
}

// try makes a call, again where the service or the connection fails, and
// explains its error. Answers with status 429 are the library's to repeat: it
// waits as long as the service says. Where ctx has ended, the error is its
// cause.
func (c *client) try(ctx context.Context, call func(context.Context) error) error {
	var status int
	err := retry.Do(ctx, func(ctx context.Context) error {
		var header http.Header
		status = 0
		err := call(tfe.ContextWithResponseHeaderHook(ctx, func(s int, h http.Header) { status, header = s, h }))
		switch {
		case err == nil:
			return nil
		case status >= http.StatusInternalServerError:
			return retry.After(err, pause(status, header))
		case lostConnection(err) && !distrusted(err):
			return retry.Transient(err)
		}
		return err
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return c.service.explain(err, status)
}

// pause is how long to wait after a server error; zero leaves it to the policy.
func pause(status int, header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err == nil && seconds > 0 {
		return min(time.Duration(seconds)*time.Second, longestPause)
	}
	if status == http.StatusServiceUnavailable {
		return processing
	}
	return 0
}

// lostConnection reports whether a request or its answer got lost on the way.
func lostConnection(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok || errors.Is(err, io.ErrUnexpectedEOF)
}
