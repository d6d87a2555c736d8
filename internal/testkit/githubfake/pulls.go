package githubfake

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// PullRequest is one pull request. The zero values of what is left out are an
// open one from a branch of the repository.
type PullRequest struct {
	Number  int      `json:"number"`
	Title   string   `json:"title"`
	Closed  bool     `json:"closed"`
	Merged  bool     `json:"merged"` // closed as well
	Draft   bool     `json:"draft"`
	Labels  []string `json:"labels"`
	Login   string   `json:"login"` // of its author
	BaseRef string   `json:"base_ref"`
	BaseSHA string   `json:"base_sha"`
	HeadRef string   `json:"head_ref"`
	HeadSHA string   `json:"head_sha"`
	Fork    bool     `json:"fork"`    // its head is in another repository
	Deleted bool     `json:"deleted"` // its head's repository is gone
}

// AddPullRequest makes a pull request known, or replaces one.
func (f *Fake) AddPullRequest(p PullRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addPullRequest(p)
}

func (f *Fake) addPullRequest(p PullRequest) PullRequest {
	if p.Login == "" {
		p.Login = "octocat"
	}
	if p.BaseRef == "" {
		p.BaseRef = f.options.DefaultBranch
	}
	if p.BaseSHA == "" {
		p.BaseSHA = fmt.Sprintf("%040x", p.Number)
	}
	if p.HeadRef == "" {
		p.HeadRef = "patch-" + strconv.Itoa(p.Number)
	}
	if p.HeadSHA == "" {
		p.HeadSHA = fmt.Sprintf("%040x", 0xabc000+p.Number)
	}
	p.Closed = p.Closed || p.Merged
	f.data.Pulls[p.Number] = p
	return p
}

func (f *Fake) pullRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/pulls", "pull-requests: read", f.listPulls},
		{"GET /repos/{owner}/{repo}/pulls/{number}", "pull-requests: read", f.showPull},
	}
}

func (f *Fake) showPull(w http.ResponseWriter, r *http.Request) {
	p, ok := f.data.Pulls[int(number(r.PathValue("number")))]
	if !ok {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	values := p.values(r)
	values["merged"] = p.Merged
	answerJSON(w, http.StatusOK, complete("pull-request", values))
}

func (f *Fake) listPulls(w http.ResponseWriter, r *http.Request) {
	state := r.URL.Query().Get("state")
	list := []any{}
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(f.data.Pulls))) {
		p := f.data.Pulls[n]
		if state == "all" || p.Closed == (state == "closed") {
			list = append(list, complete("pull-request-simple", p.values(r)))
		}
	}
	answerJSON(w, http.StatusOK, page(w, r, list))
}

func (p PullRequest) values(r *http.Request) map[string]any {
	state, merged := "open", any(nil)
	if p.Closed {
		state = "closed"
	}
	if p.Merged {
		merged = someTime
	}
	labels := []any{}
	for i, name := range p.Labels {
		labels = append(labels, map[string]any{
			"id": i + 1, "node_id": "", "url": self(r, "labels/%s", name), "name": name, "description": nil, "color": "ededed", "default": false,
		})
	}
	repository := func(name string) map[string]any {
		return complete("repository", map[string]any{"full_name": name})
	}
	head := map[string]any{"ref": p.HeadRef, "sha": p.HeadSHA, "label": p.Login + ":" + p.HeadRef, "repo": repository(fullName(r))}
	if p.Fork {
		head["repo"] = repository(forkName(r))
	}
	if p.Deleted {
		head["repo"] = nil
	}
	return map[string]any{
		"number": p.Number, "title": p.Title, "state": state, "draft": p.Draft, "merged_at": merged, "labels": labels, "user": user(p.Login),
		"created_at": someTime, "updated_at": someTime, "head": head,
		"base": map[string]any{"ref": p.BaseRef, "sha": p.BaseSHA, "repo": repository(fullName(r))},
	}
}
