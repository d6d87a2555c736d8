package githubfake

import (
	"encoding/json"
	"maps"
	"net/http"
)

// routeControl adds what GitHub does not have: the way for a script to make
// what others do, and to look at what happened. Bodies and answers have the
// fields of the type that is named.
//
//	POST /_fake/runs     Run and "job" → the run, and its "runtime_token"
//	POST /_fake/pulls    PullRequest → itself
//	POST /_fake/comments Comment → itself
//	POST /_fake/commits  {"message": "…", "parents": […], "ref": "refs/heads/main"} → {"sha": "…"}
//	POST /_fake/tokens   Token → itself
//	POST /_fake/faults   Refusal and "method", "path" (how it ends), "times" → itself
//	GET  /_fake/log      → {"calls": …, "statuses": …, "artifacts": …, "caches": …, "deployments": …, "comments": …, "refs": …, "violations": …}
func (f *Fake) routeControl() {
	f.mux.HandleFunc("POST /_fake/runs", f.startRun)
	f.mux.HandleFunc("POST /_fake/pulls", f.startPull)
	f.mux.HandleFunc("POST /_fake/comments", f.startComment)
	f.mux.HandleFunc("POST /_fake/commits", f.startCommit)
	f.mux.HandleFunc("POST /_fake/tokens", f.startToken)
	f.mux.HandleFunc("POST /_fake/faults", f.startFault)
	f.mux.HandleFunc("GET /_fake/log", f.showLog)
}

func (f *Fake) startRun(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Run
		Job string `json:"job"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.ID <= 0 {
		refuseREST(w, http.StatusBadRequest, "a run needs a positive id")
		return
	}
	run := f.addRun(req.Run)
	answerJSON(w, http.StatusCreated, struct {
		Run
		Token string `json:"runtime_token"`
	}{run, f.token(run, req.Job)})
}

func (f *Fake) startPull(w http.ResponseWriter, r *http.Request) {
	var p PullRequest
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil || p.Number <= 0 {
		refuseREST(w, http.StatusBadRequest, "a pull request needs a positive number")
		return
	}
	answerJSON(w, http.StatusCreated, f.addPullRequest(p))
}

func (f *Fake) startComment(w http.ResponseWriter, r *http.Request) {
	var c Comment
	if decode(w, r, &c) {
		answerJSON(w, http.StatusCreated, f.addComment(c.Number, c.Login, c.Body))
	}
}

func (f *Fake) startCommit(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Message, Ref string
		Parents      []string
	}
	if !decode(w, r, &req) {
		return
	}
	sha := f.newCommit(req.Message, req.Parents)
	if req.Ref != "" {
		f.data.Refs[req.Ref] = sha
	}
	answerJSON(w, http.StatusCreated, map[string]any{"sha": sha})
}

func (f *Fake) startToken(w http.ResponseWriter, r *http.Request) {
	var t Token
	if decode(w, r, &t) {
		answerJSON(w, http.StatusCreated, f.addToken(t))
	}
}

func (f *Fake) startFault(w http.ResponseWriter, r *http.Request) {
	var added fault
	if decode(w, r, &added) {
		f.faults = append(f.faults, added)
		answerJSON(w, http.StatusCreated, added)
	}
}

func (f *Fake) showLog(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, map[string]any{
		"calls":       append([]Call{}, f.calls...),
		"statuses":    append([]Status{}, f.data.Statuses...),
		"artifacts":   f.finalized(),
		"caches":      f.keptCaches(),
		"deployments": append([]*Deployment{}, f.data.Deployments...),
		"comments":    append([]*Comment{}, f.data.Comments...),
		"refs":        maps.Clone(f.data.Refs),
		"violations":  append([]string{}, f.violations...),
	})
}
