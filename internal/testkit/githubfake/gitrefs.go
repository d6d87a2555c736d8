package githubfake

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// A ref has at least two slashes.
var refName = regexp.MustCompile(`^refs/[^/]+/[^/]+(/[^/]+)*$`)

func (f *Fake) refRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/git/ref/{ref...}", "contents: read", f.showRef},
		{"GET /repos/{owner}/{repo}/git/matching-refs/{ref...}", "contents: read", f.matchingRefs},
		{"POST /repos/{owner}/{repo}/git/refs", "contents: write", f.createRef},
		{"PATCH /repos/{owner}/{repo}/git/refs/{ref...}", "contents: write", f.updateRef},
		{"DELETE /repos/{owner}/{repo}/git/refs/{ref...}", "contents: write", f.deleteRef},
		{"GET /repos/{owner}/{repo}/compare/{basehead...}", "contents: read", f.compare},
	}
}

func (f *Fake) showRef(w http.ResponseWriter, r *http.Request) {
	name := "refs/" + r.PathValue("ref")
	if f.data.Refs[name] == "" {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	answerJSON(w, http.StatusOK, f.refJSON(r, name))
}

func (f *Fake) matchingRefs(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(f.data.Refs)) {
		if strings.HasPrefix(name, "refs/"+r.PathValue("ref")) {
			list = append(list, f.refJSON(r, name))
		}
	}
	answerJSON(w, http.StatusOK, list)
}

func (f *Fake) createRef(w http.ResponseWriter, r *http.Request) {
	var req struct{ Ref, SHA string }
	if !decode(w, r, &req) {
		return
	}
	_, known := f.data.Commits[req.SHA]
	switch {
	case !refName.MatchString(req.Ref):
		refuseREST(w, http.StatusUnprocessableEntity, req.Ref+" is not a valid ref name.")
	case !known:
		refuseREST(w, http.StatusUnprocessableEntity, "Object does not exist")
	case f.data.Refs[req.Ref] != "":
		refuseREST(w, http.StatusUnprocessableEntity, "Reference already exists")
	case f.inTheWay(req.Ref):
		refuseREST(w, http.StatusUnprocessableEntity, "Reference update failed")
	default:
		f.data.Refs[req.Ref] = req.SHA
		answerJSON(w, http.StatusCreated, f.refJSON(r, req.Ref))
	}
}

// inTheWay reports whether a ref cannot exist beside another one: git keeps
// them as files, and a file is no folder.
func (f *Fake) inTheWay(ref string) bool {
	for name := range f.data.Refs {
		if strings.HasPrefix(name, ref+"/") || strings.HasPrefix(ref, name+"/") {
			return true
		}
	}
	return false
}

func (f *Fake) updateRef(w http.ResponseWriter, r *http.Request) {
	var req struct {
		SHA   string
		Force bool
	}
	if !decode(w, r, &req) {
		return
	}
	name := "refs/" + r.PathValue("ref")
	now := f.data.Refs[name]
	_, known := f.data.Commits[req.SHA]
	switch {
	case now == "":
		refuseREST(w, http.StatusUnprocessableEntity, "Reference does not exist")
	case !known:
		refuseREST(w, http.StatusUnprocessableEntity, "Object does not exist")
	case !req.Force && !f.history(req.SHA)[now]:
		refuseREST(w, http.StatusUnprocessableEntity, "Update is not a fast forward")
	default:
		f.data.Refs[name] = req.SHA
		answerJSON(w, http.StatusOK, f.refJSON(r, name))
	}
}

func (f *Fake) deleteRef(w http.ResponseWriter, r *http.Request) {
	name := "refs/" + r.PathValue("ref")
	if f.data.Refs[name] == "" {
		refuseREST(w, http.StatusUnprocessableEntity, "Reference does not exist")
		return
	}
	delete(f.data.Refs, name)
	w.WriteHeader(http.StatusNoContent)
}

func (f *Fake) refJSON(r *http.Request, name string) map[string]any {
	sha := f.data.Refs[name]
	return map[string]any{
		"ref": name, "node_id": "REF_" + name, "url": self(r, "git/%s", name),
		"object": map[string]any{"type": "commit", "sha": sha, "url": self(r, "git/commits/%s", sha)},
	}
}

// compare counts what one history has and the other lacks.
func (f *Fake) compare(w http.ResponseWriter, r *http.Request) {
	from, to, _ := strings.Cut(r.PathValue("basehead"), "...")
	base, _ := f.resolve(from)
	head, _ := f.resolve(to)
	if f.data.Commits[base].Tree == "" || f.data.Commits[head].Tree == "" {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	before, after := f.history(base), f.history(head)
	ahead, behind, common := 0, 0, ""
	for sha := range after {
		if !before[sha] {
			ahead++
		} else if common == "" || f.history(sha)[common] {
			common = sha
		}
	}
	for sha := range before {
		if !after[sha] {
			behind++
		}
	}
	if common == "" {
		refuseREST(w, http.StatusNotFound, "No common ancestor between "+from+" and "+to+".")
		return
	}
	status := "identical"
	switch {
	case ahead > 0 && behind > 0:
		status = "diverged"
	case ahead > 0:
		status = "ahead"
	case behind > 0:
		status = "behind"
	}
	answerJSON(w, http.StatusOK, complete("commit-comparison", map[string]any{
		"status": status, "ahead_by": ahead, "behind_by": behind, "total_commits": ahead, "files": f.compared(common, head),
		"base_commit": complete("commit", map[string]any{"sha": base}), "merge_base_commit": complete("commit", map[string]any{"sha": common}),
	}))
}
