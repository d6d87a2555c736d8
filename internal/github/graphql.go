package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-github/v82/github"
)

// graphqlRequest is what every GraphQL request says.
type graphqlRequest struct {
	Query     string         `json:"query"`
	Variables map[string]any `json:"variables"`
}

// graphqlAnswer is how every GraphQL request is answered. That something went
// wrong is told in an answer of status 200, too.
type graphqlAnswer struct {
	Data   json.RawMessage `json:"data"`
	Errors []graphqlError  `json:"errors"`
}

type graphqlError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// query sends one GraphQL query, which changes nothing, and reads its data into
// answer. It waits and tries again as all calls of the client do.
//
// See https://docs.github.com/graphql/guides/forming-calls-with-graphql.
func (c *Client) query(ctx context.Context, permission string, q graphqlRequest, answer any) error {
	var got graphqlAnswer
	err := c.call(ctx, permission, readPatience, func() error {
		request, err := c.rest.NewRequest(http.MethodPost, c.graphqlURL(), q)
		if err != nil {
			return err
		}
		got = graphqlAnswer{}
		response, err := c.rest.Do(ctx, request, &got)
		if err != nil || len(got.Errors) == 0 {
			return err
		}
		switch first := got.Errors[0]; first.Type {
		case "RATE_LIMITED":
			return &github.RateLimitError{Rate: response.Rate, Response: response.Response, Message: first.Message}
		case "":
			return errors.New(first.Message) // such as a timeout of the query, which may do better next time
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(got.Errors) > 0 {
		return got.Errors[0].refusal(permission)
	}
	if err := json.Unmarshal(got.Data, answer); err != nil {
		return fmt.Errorf("reading the answer of GitHub: %w", err)
	}
	return nil
}

// graphqlURL is beside the REST API: GitHub Enterprise Server has them at
// /api/v3 and /api/graphql, all others at the root of one host.
func (c *Client) graphqlURL() string {
	address := *c.rest.BaseURL
	address.Path = strings.TrimSuffix(address.Path, "v3/") + "graphql"
	return address.String()
}

// refusal turns what an answer says went wrong into an error of this package.
func (e graphqlError) refusal(permission string) error {
	switch e.Type {
	case "FORBIDDEN", "INSUFFICIENT_SCOPES":
		return &PermissionError{permission, http.StatusForbidden, e.Message}
	case "NOT_FOUND":
		return &PermissionError{permission, http.StatusNotFound, e.Message}
	}
	return &AnswerError{http.StatusOK, e.Message}
}
