package githubfake

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func (f *Fake) artifactRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/actions/artifacts", "actions: read", f.listArtifacts},
		{"GET /repos/{owner}/{repo}/actions/artifacts/{id}", "actions: read", f.artifact},
		{"GET /repos/{owner}/{repo}/actions/artifacts/{id}/zip", "actions: read", f.downloadArtifact},
		{"GET /repos/{owner}/{repo}/actions/runs/{id}/artifacts", "actions: read", func(w http.ResponseWriter, r *http.Request) {
			f.writeArtifacts(w, r, number(r.PathValue("id")))
		}},
	}
}

func (f *Fake) listArtifacts(w http.ResponseWriter, r *http.Request) { f.writeArtifacts(w, r, 0) }

// writeArtifacts answers with the artifacts of one run, or of all where run is
// 0, newest first.
func (f *Fake) writeArtifacts(w http.ResponseWriter, r *http.Request, run int64) {
	name := r.URL.Query().Get("name")
	list := []any{}
	for _, a := range slices.Backward(f.listed()) {
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
