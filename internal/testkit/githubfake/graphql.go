package githubfake

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
)

// schemaText is the part of GitHub's GraphQL schema that the program uses; its
// first lines say where it is from.
//
//go:embed testdata/github-graphql-subset.graphql
var schemaText string

// schema is GitHub's GraphQL schema, ready for use.
var schema = sync.OnceValues(func() (*ast.Schema, error) {
	loaded, err := gqlparser.LoadSchema(&ast.Source{Name: "github-graphql-subset.graphql", Input: schemaText})
	if err != nil {
		return nil, fmt.Errorf("reading GitHub's GraphQL schema: %w", err)
	}
	return loaded, nil
})

// graphqlProblem is one of the errors of an answer.
type graphqlProblem struct {
	Type    string   `json:"type,omitempty"`
	Path    []string `json:"path,omitempty"`
	Message string   `json:"message"`
}

// routeGraphQL adds the one address of the GraphQL API, as github.com has it
// and as GitHub Enterprise Server does.
func (f *Fake) routeGraphQL() {
	f.mux.HandleFunc("POST /graphql", f.graphql)
	f.mux.HandleFunc("POST /api/graphql", f.graphql)
}

// graphql answers one query. Whatever the schema does not allow, in the request
// or in the answer, is a violation.
func (f *Fake) graphql(w http.ResponseWriter, r *http.Request) {
	token, known := f.caller(r)
	if r.Header.Get("Authorization") == "" || known && !token.Expires.IsZero() && !token.Expires.After(f.options.Now()) {
		refuseREST(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	// A query only reads, whatever its method.
	counted := r.Clone(r.Context())
	counted.Method = http.MethodGet
	if f.limit(w, counted) {
		return
	}
	operation, variables, err := parseQuery(r)
	if err != nil {
		f.violations = append(f.violations, fmt.Sprintf("POST %s: %v", r.URL.Path, err))
		answerGraphQL(w, nil, graphqlProblem{Message: err.Error()})
		return
	}
	if known && !token.may("deployments: read") {
		answerGraphQL(w, map[string]any{"repository": nil}, graphqlProblem{
			Type: "FORBIDDEN", Path: []string{"repository", "deployments"}, Message: "Resource not accessible by integration",
		})
		return
	}
	root := map[string]any{"repository": resolver(func(args map[string]any) any {
		name, _ := args["name"].(string)
		full := fmt.Sprint(args["owner"], "/", name)
		if f.options.Repository != "" && f.options.Repository != full || !token.sees(name) {
			return nil
		}
		return map[string]any{"id": "R_1", "deployments": resolver(f.deploymentConnection)}
	})}
	s := shape{variables: variables}
	data := s.object("query", operation.SelectionSet, root)
	for _, broken := range s.broken {
		f.violations = append(f.violations, "answer to POST "+r.URL.Path+": "+broken)
	}
	if answer, ok := data.(map[string]any); ok && answer["repository"] == nil {
		answerGraphQL(w, data, graphqlProblem{
			Type: "NOT_FOUND", Path: []string{"repository"}, Message: "Could not resolve to a Repository with that name.",
		})
		return
	}
	answerGraphQL(w, data)
}

// parseQuery holds a request against the schema.
func parseQuery(r *http.Request) (*ast.OperationDefinition, map[string]any, error) {
	var request struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	decoder := json.NewDecoder(r.Body)
	decoder.UseNumber()
	if err := decoder.Decode(&request); err != nil {
		return nil, nil, fmt.Errorf("the request is no JSON object with a query: %w", err)
	}
	known, err := schema()
	if err != nil {
		return nil, nil, err
	}
	document, problems := gqlparser.LoadQueryWithRules(known, request.Query, nil)
	if len(problems) > 0 {
		return nil, nil, problems
	}
	if len(document.Operations) != 1 || document.Operations[0].Operation != ast.Query {
		return nil, nil, errors.New("the request is not one query")
	}
	variables, err := validator.VariableValues(known, document.Operations[0], request.Variables)
	if err != nil {
		return nil, nil, err
	}
	return document.Operations[0], variables, nil
}

func answerGraphQL(w http.ResponseWriter, data any, problems ...graphqlProblem) {
	answer := map[string]any{"data": data}
	if len(problems) > 0 {
		answer["errors"] = problems
	}
	answerJSON(w, http.StatusOK, answer)
}
