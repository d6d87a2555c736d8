package githubfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"
)

var commitSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

func (f *Fake) routeREST() {
	routes := map[string]http.HandlerFunc{
		"GET /repos/{owner}/{repo}":                            f.repository,
		"POST /repos/{owner}/{repo}/statuses/{sha}":            f.createStatus,
		"GET /repos/{owner}/{repo}/commits/{ref}/statuses":     f.listStatuses,
		"GET /repos/{owner}/{repo}/actions/artifacts":          f.listArtifacts,
		"GET /repos/{owner}/{repo}/actions/artifacts/{id}":     f.artifact,
		"GET /repos/{owner}/{repo}/actions/artifacts/{id}/zip": f.downloadArtifact,
		"GET /repos/{owner}/{repo}/actions/runs/{id}":          f.workflowRun,
		"GET /repos/{owner}/{repo}/actions/runs/{id}/artifacts": func(w http.ResponseWriter, r *http.Request) {
			f.writeArtifacts(w, r, number(r.PathValue("id")))
		},
	}
	for pattern, handler := range routes {
		f.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			name := r.PathValue("owner") + "/" + r.PathValue("repo")
			if f.options.Repository != "" && f.options.Repository != name {
				refuseREST(w, http.StatusNotFound, "Not Found")
				return
			}
			handler(w, r)
		})
	}
}

func (f *Fake) repository(w http.ResponseWriter, r *http.Request) {
	answerJSON(w, http.StatusOK, complete("full-repository", map[string]any{
		"id":             repositoryID,
		"name":           r.PathValue("repo"),
		"full_name":      r.PathValue("owner") + "/" + r.PathValue("repo"),
		"default_branch": f.options.DefaultBranch,
		"license":        nil,
		"created_at":     "2026-01-01T00:00:00Z",
		"updated_at":     "2026-01-01T00:00:00Z",
		"pushed_at":      "2026-01-01T00:00:00Z",
	}))
}

func (f *Fake) createStatus(w http.ResponseWriter, r *http.Request) {
	var s Status
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		refuseREST(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	if len([]rune(s.Description)) > 140 {
		refuseREST(w, http.StatusUnprocessableEntity, "description is too long (maximum is 140 characters)")
		return
	}
	s.SHA = r.PathValue("sha")
	if !commitSHA.MatchString(s.SHA) {
		refuseREST(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+s.SHA)
		return
	}
	s.ID, s.Created = f.newID(), f.options.Now().UTC()
	f.data.Statuses = append(f.data.Statuses, s)
	answerJSON(w, http.StatusCreated, s.json())
}

func (f *Fake) listStatuses(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	for _, s := range slices.Backward(f.data.Statuses) {
		if s.SHA == r.PathValue("ref") {
			list = append(list, s.json())
		}
	}
	answerJSON(w, http.StatusOK, page(w, r, list))
}

func (s Status) json() map[string]any {
	created := s.Created.Format(time.RFC3339)
	return complete("status", map[string]any{
		"id": s.ID, "state": s.State, "context": s.Context, "description": s.Description, "target_url": s.TargetURL,
		"created_at": created, "updated_at": created,
	})
}

func (f *Fake) listArtifacts(w http.ResponseWriter, r *http.Request) { f.writeArtifacts(w, r, 0) }

// writeArtifacts answers with the artifacts of one run, or of all where run is
// 0, newest first.
func (f *Fake) writeArtifacts(w http.ResponseWriter, r *http.Request, run int64) {
	name := r.URL.Query().Get("name")
	list := []any{}
	for _, a := range slices.Backward(f.finalized()) {
		if (run == 0 || a.Run == run) && (name == "" || a.Name == name) {
			list = append(list, f.artifactJSON(r, a))
		}
	}
	answerJSON(w, http.StatusOK, map[string]any{"total_count": len(list), "artifacts": page(w, r, list)})
}

func (f *Fake) artifact(w http.ResponseWriter, r *http.Request) {
	if a, ok := f.find(r); ok {
		answerJSON(w, http.StatusOK, f.artifactJSON(r, a))
		return
	}
	refuseREST(w, http.StatusNotFound, "Not Found")
}

func (f *Fake) downloadArtifact(w http.ResponseWriter, r *http.Request) {
	a, ok := f.find(r)
	switch {
	case !ok:
		refuseREST(w, http.StatusNotFound, "Not Found")
	case a.Expires.Before(f.options.Now()):
		refuseREST(w, http.StatusGone, "Artifact has expired")
	default:
		w.Header().Set("Location", f.signedURL(r, a.Blob, mayRead, time.Minute))
		w.WriteHeader(http.StatusFound)
	}
}

func (f *Fake) find(r *http.Request) (Artifact, bool) {
	id := number(r.PathValue("id"))
	for _, a := range f.finalized() {
		if a.ID == id {
			return a, true
		}
	}
	return Artifact{}, false
}

func (f *Fake) artifactJSON(r *http.Request, a Artifact) map[string]any {
	run := f.data.Runs[a.Run]
	head := repositoryID
	if run.Fork {
		head = forkID
	}
	self := fmt.Sprintf("%s/repos/%s/%s/actions/artifacts/%d", origin(r), r.PathValue("owner"), r.PathValue("repo"), a.ID)
	return map[string]any{
		"id": a.ID, "node_id": "A_" + strconv.FormatInt(a.ID, 36), "name": a.Name, "size_in_bytes": a.Size,
		"url": self, "archive_download_url": self + "/zip", "digest": a.Digest,
		"expired":    a.Expires.Before(f.options.Now()),
		"created_at": a.Created.Format(time.RFC3339), "updated_at": a.Created.Format(time.RFC3339), "expires_at": a.Expires.Format(time.RFC3339),
		"workflow_run": map[string]any{
			"id": a.Run, "repository_id": repositoryID, "head_repository_id": head, "head_branch": run.HeadBranch, "head_sha": run.HeadSHA,
		},
	}
}

func (f *Fake) workflowRun(w http.ResponseWriter, r *http.Request) {
	run, ok := f.data.Runs[number(r.PathValue("id"))]
	if !ok {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	answerJSON(w, http.StatusOK, complete("workflow-run", map[string]any{
		"id": run.ID, "event": run.Event, "head_branch": run.HeadBranch, "head_sha": run.HeadSHA, "path": ".github/workflows/deploy.yml",
		"status": run.Status, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
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

// number reads an ID; what is none is 0, which nothing has.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
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
