package githubfake

import (
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// descriptionJSON is the part of GitHub's API description that the program
// uses; info.x-source in it says where it is from.
//
//go:embed testdata/github-openapi-subset.json
var descriptionJSON []byte

// description is GitHub's API description, ready for use.
type description struct {
	schemas openapi3.Schemas
	router  routers.Router
}

// describe parses the description once for all fakes of a process, since that
// takes longer than most tests.
var describe = sync.OnceValues(func() (*description, error) {
	doc, err := openapi3.NewLoader().LoadFromData(descriptionJSON)
	if err != nil {
		return nil, fmt.Errorf("reading GitHub's API description: %w", err)
	}
	doc.Servers = openapi3.Servers{{URL: "/"}} // matches every host

	// A git ref and a path in a repository span several segments, which the
	// description has no words for.
	for path, item := range doc.Paths.Map() {
		wide := path
		if strings.Contains(path, "/git/") {
			wide = strings.Replace(path, "{ref}", "{ref:.+}", 1)
		}
		wide = strings.Replace(wide, "/contents/{path}", "/contents/{path:.+}", 1)
		wide = strings.Replace(wide, "/{basehead}", "/{basehead:.+}", 1)
		if wide != path {
			doc.Paths.Delete(path)
			doc.Paths.Set(wide, item)
		}
	}
	allowDeletedHead(doc.Components.Schemas)
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			allowLooseErrors(operation)
		}
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("reading GitHub's API description: %w", err)
	}
	return &description{doc.Components.Schemas, router}, nil
})

// allowDeletedHead makes the repository of a pull request's head nullable, as
// it is where that repository was deleted; the description has forgotten it.
func allowDeletedHead(schemas openapi3.Schemas) {
	for _, name := range []string{"pull-request", "pull-request-simple"} {
		properties := schemas[name].Value.Properties["head"].Value.Properties
		nullable := *properties["repo"].Value
		nullable.Nullable = true
		properties["repo"] = &openapi3.SchemaRef{Value: &nullable}
	}
}

// allowLooseErrors lets an answer other than success match several of the forms
// that the description offers for it: some of them match everything.
func allowLooseErrors(operation *openapi3.Operation) {
	for status, response := range operation.Responses.Map() {
		if status < "400" {
			continue
		}
		for _, content := range response.Value.Content {
			content.Schema.Value.AnyOf = append(content.Schema.Value.AnyOf, content.Schema.Value.OneOf...)
			content.Schema.Value.OneOf = nil
		}
	}
}

// serveDescribed serves a REST request and holds it and its answer against the
// description.
func (f *Fake) serveDescribed(w *httptest.ResponseRecorder, r *http.Request) {
	d, err := describe()
	if err != nil {
		f.violate(w, r, http.StatusInternalServerError, err)
		return
	}
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		f.violate(w, r, http.StatusNotFound, err)
		return
	}
	if r.Header.Get("Authorization") == "" {
		refuseREST(w, http.StatusUnauthorized, "Requires authentication")
		return
	}
	if token, known := f.caller(r); known && !token.Expires.IsZero() && !token.Expires.After(f.options.Now()) {
		refuseREST(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	if f.limit(w, r) {
		return
	}
	if f.options.Sample > 1 && len(f.calls)%f.options.Sample > 0 {
		f.mux.ServeHTTP(w, r)
		return
	}
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true},
	}
	if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
		f.violate(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	f.mux.ServeHTTP(w, r)
	output := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 w.Code,
		Header:                 w.Header(),
		Body:                   io.NopCloser(strings.NewReader(w.Body.String())),
	}
	if err := openapi3filter.ValidateResponse(r.Context(), output); err != nil {
		f.violations = append(f.violations, fmt.Sprintf("answer to %s %s: %v", r.Method, r.URL.Path, err))
	}
}

func (f *Fake) violate(w http.ResponseWriter, r *http.Request, status int, err error) {
	f.violations = append(f.violations, fmt.Sprintf("%s %s: %v", r.Method, r.URL.Path, err))
	refuseREST(w, status, err.Error())
}

// complete returns values with every property that the named schema requires
// and values lacks, filled with something of its type: GitHub's answers hold
// dozens of links that nobody here reads.
func complete(schema string, values map[string]any) map[string]any {
	d, err := describe()
	if err != nil {
		return values
	}
	full, _ := sample(d.schemas[schema].Value).(map[string]any)
	overlay(full, values)
	return full
}

// overlay puts values into full, and into the objects within it.
func overlay(full, values map[string]any) {
	for name, value := range values {
		inner, isObject := value.(map[string]any)
		below, has := full[name].(map[string]any)
		if isObject && has {
			overlay(below, inner)
			continue
		}
		full[name] = value
	}
}

// sample returns the smallest value that satisfies a schema.
func sample(s *openapi3.Schema) any {
	switch {
	case s.Nullable:
		return nil
	case s.Type == nil && len(s.AllOf) > 0:
		return sample(s.AllOf[0].Value)
	case s.Type == nil && len(s.OneOf) > 0:
		return sample(s.OneOf[0].Value)
	case s.Type == nil && len(s.AnyOf) > 0:
		return sample(s.AnyOf[0].Value)
	case s.Type == nil:
		return nil
	case s.Type.Is("string"):
		if len(s.Enum) > 0 {
			return s.Enum[0]
		}
		if s.Format == "date-time" {
			return someTime
		}
		return ""
	case s.Type.Is("integer"), s.Type.Is("number"):
		return 0
	case s.Type.Is("boolean"):
		return false
	case s.Type.Is("array"):
		return []any{}
	}
	object := map[string]any{}
	for _, name := range s.Required {
		if property, ok := s.Properties[name]; ok {
			object[name] = sample(property.Value)
		}
	}
	return object
}
