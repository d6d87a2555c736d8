package githubfake

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"
)

var commitSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

// noCommit is the one name of a commit that is not believed: who asks about it
// wants to be told that there is none.
const noCommit = "0badc0de0badc0de0badc0de0badc0de0badc0de"

func (f *Fake) statusRoutes() []route {
	return []route{
		{"POST /repos/{owner}/{repo}/statuses/{sha}", "statuses: write", f.createStatus},
		{"GET /repos/{owner}/{repo}/commits/{ref}/statuses", "statuses: read", f.listStatuses},
	}
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
	if len([]rune(s.Context)) > 255 {
		refuseREST(w, http.StatusUnprocessableEntity, "context is too long (maximum is 255 characters)")
		return
	}
	s.SHA = r.PathValue("sha")
	if !commitSHA.MatchString(s.SHA) || s.SHA == noCommit {
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
