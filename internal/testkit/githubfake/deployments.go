package githubfake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Deployment is one Deployment with its statuses, oldest first.
type Deployment struct {
	ID          int64              `json:"id"`
	Ref         string             `json:"ref"`
	SHA         string             `json:"sha"`
	Task        string             `json:"task"`
	Environment string             `json:"environment"`
	Description string             `json:"description"`
	Payload     json.RawMessage    `json:"payload,omitempty"`
	Transient   bool               `json:"transient"`
	Production  bool               `json:"production"`
	Creator     string             `json:"creator"`
	Created     time.Time          `json:"created"`
	Statuses    []DeploymentStatus `json:"statuses"`
}

// DeploymentStatus is one status of a Deployment.
type DeploymentStatus struct {
	ID             int64     `json:"id"`
	State          string    `json:"state"`
	Description    string    `json:"description"`
	EnvironmentURL string    `json:"environment_url"`
	LogURL         string    `json:"log_url"`
	Created        time.Time `json:"created"`
}

// State returns the state of the last status; "" where there is none.
func (d Deployment) State() string {
	if len(d.Statuses) == 0 {
		return ""
	}
	return d.Statuses[len(d.Statuses)-1].State
}

// Deployments returns the Deployments, oldest first.
func (f *Fake) Deployments() []Deployment {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []Deployment{}
	for _, d := range f.data.Deployments {
		copied := *d
		copied.Statuses = slices.Clone(d.Statuses)
		list = append(list, copied)
	}
	return list
}

func (f *Fake) deploymentRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/deployments", "deployments: read", f.listDeployments},
		{"POST /repos/{owner}/{repo}/deployments", "deployments: write", f.createDeployment},
		{"GET /repos/{owner}/{repo}/deployments/{id}", "deployments: read", f.deployment(f.showDeployment)},
		{"DELETE /repos/{owner}/{repo}/deployments/{id}", "deployments: write", f.deployment(f.deleteDeployment)},
		{"GET /repos/{owner}/{repo}/deployments/{id}/statuses", "deployments: read", f.deployment(f.listDeploymentStatuses)},
		{"POST /repos/{owner}/{repo}/deployments/{id}/statuses", "deployments: write", f.deployment(f.createDeploymentStatus)},
	}
}

// deployment finds the Deployment that a request is about.
func (f *Fake) deployment(next func(http.ResponseWriter, *http.Request, *Deployment)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := number(r.PathValue("id"))
		at := slices.IndexFunc(f.data.Deployments, func(d *Deployment) bool { return d.ID == id })
		if at < 0 {
			refuseREST(w, http.StatusNotFound, "Not Found")
			return
		}
		next(w, r, f.data.Deployments[at])
	}
}

func (f *Fake) createDeployment(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Ref, Task, Environment, Description string

		Payload   json.RawMessage
		Contexts  *[]string `json:"required_contexts"`
		Transient bool      `json:"transient_environment"`
		// Without it, only the environment of this name counts as production.
		Production *bool `json:"production_environment"`
	}
	if !decode(w, r, &req) {
		return
	}
	sha, ok := f.resolve(req.Ref)
	switch {
	case !ok:
		refuseREST(w, http.StatusUnprocessableEntity, "No ref found for: "+req.Ref)
		return
	case utf8.RuneCountInString(req.Description) > 140:
		refuseREST(w, http.StatusUnprocessableEntity, "description is too long (maximum is 140 characters)")
		return
	case req.Contexts == nil && f.unfinishedChecks(sha):
		refuseREST(w, http.StatusConflict, "Conflict: Commit status checks failed for "+req.Ref+".")
		return
	}
	d := &Deployment{
		ID: f.newID(), Ref: req.Ref, SHA: sha, Task: req.Task, Environment: req.Environment, Description: req.Description, Payload: req.Payload,
		Transient: req.Transient, Production: req.Environment == "production", Creator: f.login(r), Created: f.options.Now().UTC(),
	}
	if d.Task == "" {
		d.Task = "deploy"
	}
	if d.Environment == "" {
		d.Environment = "production"
	}
	if req.Production != nil {
		d.Production = *req.Production
	}
	f.data.Deployments = append(f.data.Deployments, d)
	answerJSON(w, http.StatusCreated, d.json(r))
}

// unfinishedChecks reports whether the last status of any context of a commit
// is not a success.
func (f *Fake) unfinishedChecks(sha string) bool {
	last := map[string]string{}
	for _, s := range f.data.Statuses {
		if s.SHA == sha {
			last[s.Context] = s.State
		}
	}
	for _, state := range last {
		if state != "success" {
			return true
		}
	}
	return false
}

func (f *Fake) listDeployments(w http.ResponseWriter, r *http.Request) {
	query, list := r.URL.Query(), []any{}
	for _, d := range slices.Backward(f.data.Deployments) {
		matches := true
		for name, value := range map[string]string{"sha": d.SHA, "ref": d.Ref, "task": d.Task, "environment": d.Environment} {
			if want := query.Get(name); want != "" && want != "none" && want != value {
				matches = false
			}
		}
		if matches {
			list = append(list, d.json(r))
		}
	}
	answerJSON(w, http.StatusOK, page(w, r, list))
}

func (f *Fake) showDeployment(w http.ResponseWriter, r *http.Request, d *Deployment) {
	answerJSON(w, http.StatusOK, d.json(r))
}

func (f *Fake) deleteDeployment(w http.ResponseWriter, _ *http.Request, d *Deployment) {
	if state := d.State(); len(f.data.Deployments) > 1 && (state == "" || state == "success") {
		refuseREST(w, http.StatusUnprocessableEntity, "We cannot delete an active deployment unless it is the only deployment in a given environment.")
		return
	}
	f.data.Deployments = slices.DeleteFunc(f.data.Deployments, func(other *Deployment) bool { return other == d })
	w.WriteHeader(http.StatusNoContent)
}

func (f *Fake) createDeploymentStatus(w http.ResponseWriter, r *http.Request, d *Deployment) {
	var req struct {
		DeploymentStatus
		AutoInactive *bool `json:"auto_inactive"`
	}
	if !decode(w, r, &req) {
		return
	}
	s := req.DeploymentStatus
	switch {
	case utf8.RuneCountInString(s.Description) > 140:
		refuseREST(w, http.StatusUnprocessableEntity, "description is too long (maximum is 140 characters)")
		return
	case !overHTTP(s.EnvironmentURL), !overHTTP(s.LogURL):
		refuseREST(w, http.StatusUnprocessableEntity, "environment_url and log_url must use http(s) scheme")
		return
	}
	if s.State == "success" && (req.AutoInactive == nil || *req.AutoInactive) {
		f.inactivateBefore(d)
	}
	s.ID, s.Created = f.newID(), f.options.Now().UTC()
	d.Statuses = append(d.Statuses, s)
	answerJSON(w, http.StatusCreated, s.json(r, d))
}

func overHTTP(address string) bool {
	return address == "" || strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://")
}

// inactivateBefore does what GitHub does unless it is told not to.
func (f *Fake) inactivateBefore(d *Deployment) {
	for _, other := range f.data.Deployments {
		if other.ID < d.ID && other.Environment == d.Environment && !other.Transient && !other.Production && other.State() != "inactive" {
			other.Statuses = append(other.Statuses, DeploymentStatus{ID: f.newID(), State: "inactive", Created: f.options.Now().UTC()})
		}
	}
}

func (f *Fake) listDeploymentStatuses(w http.ResponseWriter, r *http.Request, d *Deployment) {
	list := []any{}
	for _, s := range slices.Backward(d.Statuses) {
		list = append(list, s.json(r, d))
	}
	answerJSON(w, http.StatusOK, page(w, r, list))
}

func (d *Deployment) json(r *http.Request) map[string]any {
	created, address := d.Created.Format(time.RFC3339), self(r, "deployments/%d", d.ID)
	payload := any(d.Payload)
	if len(d.Payload) == 0 {
		payload = ""
	}
	return complete("deployment", map[string]any{
		"id": d.ID, "ref": d.Ref, "sha": d.SHA, "task": d.Task, "environment": d.Environment, "original_environment": d.Environment,
		"description": orNull(d.Description), "payload": payload, "transient_environment": d.Transient, "production_environment": d.Production,
		"creator": user(d.Creator), "created_at": created, "updated_at": created, "url": address, "statuses_url": address + "/statuses",
	})
}

func (s DeploymentStatus) json(r *http.Request, d *Deployment) map[string]any {
	created := s.Created.Format(time.RFC3339)
	return complete("deployment-status", map[string]any{
		"id": s.ID, "state": s.State, "description": s.Description, "environment": d.Environment, "environment_url": s.EnvironmentURL,
		"log_url": s.LogURL, "target_url": s.LogURL, "creator": user(d.Creator), "created_at": created, "updated_at": created,
		"deployment_url": self(r, "deployments/%d", d.ID),
	})
}
