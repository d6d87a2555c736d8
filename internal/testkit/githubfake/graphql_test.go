package githubfake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// queries sends a query and returns the answer.
func (w world) queries(t *testing.T, query string, variables map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer ghs_any")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(answer))
}

func TestGraphQLAgainstSchema(t *testing.T) {
	t.Parallel()
	list := func(selection string) string {
		return `query ($n: Int!) { repository(owner: "o", name: "r") { deployments(first: $n) { ` + selection + ` } } }`
	}
	for name, test := range map[string]struct {
		query  string
		n      any
		answer string
		broken string // what the violation says; "" for none
	}{
		"good":              {list("totalCount nodes { task }"), 5, `{"data":{"repository":{"deployments":{"nodes":[],"totalCount":0}}}}`, ""},
		"unknown field":     {list("nodes { tusk }"), 5, `Cannot query field`, `Cannot query field \"tusk\" on type \"Deployment\"`},
		"wrong type":        {list("totalCount"), "five", `cannot use string as Int`, `cannot use string as Int`},
		"missing variable":  {list("totalCount"), nil, `cannot be null`, `cannot be null`},
		"unknown argument":  {`{ repository(owner: "o", name: "r", branch: "main") { id } }`, 5, `Unknown argument`, `Unknown argument \"branch\"`},
		"missing argument":  {`{ repository(name: "r") { id } }`, 5, `is required`, `\"String!\" is required`},
		"not a query":       {`nonsense`, 5, `Unexpected Name`, `Unexpected Name`},
		"a field of ours":   {list("nodes { id } pageInfo { startCursor hasPreviousPage hasNextPage endCursor }"), 5, `"hasNextPage":false`, ""},
		"not in the fake":   {`{ repository(owner: "o", name: "r") { __typename } }`, 5, ``, `query.repository.__typename: the store has no such field`},
		"a value in a word": {`{ repository(owner: "o", name: "r") { deployments(orderBy: {field: NAME, direction: ASC}) { totalCount } } }`, 5, `does not exist in`, `does not exist in`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			answer := w.queries(t, test.query, map[string]any{"n": test.n})
			if !strings.Contains(answer, test.answer) {
				t.Errorf("the answer is %s, want %s in it", answer, test.answer)
			}
			broken := strings.Join(w.Violations(), "\n")
			unquoted := strings.ReplaceAll(test.broken, `\"`, `"`)
			if (broken == "") != (test.broken == "") || !strings.Contains(broken, unquoted) {
				t.Errorf("violations are %q, want %q", broken, unquoted)
			}
		})
	}
}
