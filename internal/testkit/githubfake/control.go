package githubfake

import (
	"encoding/json"
	"net/http"
)

// routeControl adds what GitHub does not have: the way for a script to start a
// run and to look at what happened.
//
//	POST /_fake/runs  {"id": 42, "head_sha": "…", "head_branch": "main", "event": "push", "job": "deploy"}
//	                  → the run, and its "runtime_token"
//	GET  /_fake/log   → {"calls": …, "statuses": …, "artifacts": …, "violations": …}
func (f *Fake) routeControl() {
	f.mux.HandleFunc("POST /_fake/runs", f.startRun)
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

func (f *Fake) showLog(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, map[string]any{
		"calls":      append([]Call{}, f.calls...),
		"statuses":   append([]Status{}, f.data.Statuses...),
		"artifacts":  f.finalized(),
		"violations": append([]string{}, f.violations...),
	})
}
