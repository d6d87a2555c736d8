package githubfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// route is one call of the API.
type route struct {
	pattern    string
	permission string // "" where every token may
	handler    http.HandlerFunc
}

func (f *Fake) routeREST() {
	routes := slices.Concat(f.artifactRoutes(), f.runRoutes(), f.statusRoutes(), f.deploymentRoutes(), f.gitRoutes(), f.refRoutes(), f.pullRoutes(), f.commentRoutes(), []route{
		{"GET /repos/{owner}/{repo}", "", f.repository},
	})
	for _, route := range routes {
		f.mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) {
			token, known := f.caller(r)
			switch name := fullName(r); {
			case f.options.Repository != "" && f.options.Repository != name, !token.sees(r.PathValue("repo")):
				refuseREST(w, http.StatusNotFound, "Not Found")
			case known && !token.may(route.permission):
				w.Header().Set("X-Accepted-GitHub-Permissions", acceptedPermissions(route.permission))
				refuseREST(w, http.StatusForbidden, "Resource not accessible by integration")
			default:
				route.handler(w, r)
			}
		})
	}
	f.mux.HandleFunc("GET /rate_limit", f.showLimits)
	f.routeApps()
}

// fullName returns the repository that a request is about.
func fullName(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("repo") }

func (f *Fake) repository(w http.ResponseWriter, r *http.Request) {
	answerJSON(w, http.StatusOK, complete("full-repository", map[string]any{
		"id":             repositoryID,
		"name":           r.PathValue("repo"),
		"full_name":      fullName(r),
		"default_branch": f.options.DefaultBranch,
		"license":        nil,
		"created_at":     someTime,
		"updated_at":     someTime,
		"pushed_at":      someTime,
	}))
}

// page cuts list to the page that r asks for and links to the next one.
func page(w http.ResponseWriter, r *http.Request, list []any) []any {
	query := r.URL.Query()
	size, at := int(number(query.Get("per_page"))), int(number(query.Get("page")))
	if size <= 0 || size > 100 {
		size = 30
	}
	at = max(at, 1)
	from, to := min((at-1)*size, len(list)), min(at*size, len(list))
	if to < len(list) {
		query.Set("page", strconv.Itoa(at+1))
		next := url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
		w.Header().Set("Link", fmt.Sprintf(`<%s%s>; rel="next"`, origin(r), next.String()))
	}
	return list[from:to]
}

func origin(r *http.Request) string {
	if r.TLS != nil || r.URL.Scheme == "https" {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// self is the address of something of the repository.
func self(r *http.Request, format string, args ...any) string {
	return origin(r) + "/repos/" + fullName(r) + "/" + fmt.Sprintf(format, args...)
}

// number reads an ID; what is none is 0, which nothing has.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// decode reads the body of a request, or refuses it.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		refuseREST(w, http.StatusBadRequest, "Problems parsing JSON")
		return false
	}
	return true
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// Maps, slices and scalars always encode, and the recorder takes all.
	_ = json.NewEncoder(w).Encode(body)
}

func refuseREST(w http.ResponseWriter, status int, message string) {
	answerJSON(w, status, map[string]any{"message": message, "documentation_url": "https://docs.github.com/rest"})
}
