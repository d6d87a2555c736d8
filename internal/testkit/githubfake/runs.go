package githubfake

import (
	"fmt"
	"net/http"
)

// Run is one workflow run.
type Run struct {
	ID         int64  `json:"id"`
	HeadSHA    string `json:"head_sha"`
	HeadBranch string `json:"head_branch"`
	Ref        string `json:"ref"`        // whose cache it writes to; "" for that of HeadBranch
	ReadsOnly  bool   `json:"reads_only"` // it may not write to any cache
	Event      string `json:"event"`
	Fork       bool   `json:"fork"`       // its head is in another repository
	Status     string `json:"status"`     // such as completed; "" for in_progress
	Conclusion string `json:"conclusion"` // such as success; only of completed ones
	Attempt    int    `json:"attempt"`    // the latest; 0 for the first
	Workflow   string `json:"workflow"`   // its file; "" for .github/workflows/deploy.yml
	Jobs       []Job  `json:"jobs"`
	Backend    string `json:"backend"` // how the artifact service calls it; "" for a UUID
}

// Job is one job of one attempt of a run.
type Job struct {
	Attempt    int    `json:"attempt"` // 0 for the first
	Name       string `json:"name"`
	Status     string `json:"status"` // "" for in_progress
	Conclusion string `json:"conclusion"`
	Runner     string `json:"runner"` // "" where none has it yet
}

// The IDs of the repository and of the fork that [Run.Fork] stands for.
const (
	repositoryID = 1001
	forkID       = 2002
)

// someTime stands where an answer needs a time that nobody reads.
const someTime = "2026-01-01T00:00:00Z"

// AddRun makes a run known. A run of the same ID is replaced.
func (f *Fake) AddRun(r Run) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addRun(r)
}

func (f *Fake) addRun(r Run) Run {
	if r.Backend == "" {
		r.Backend = fmt.Sprintf("00000000-0000-4000-8000-%012x", r.ID)
	}
	if r.Status == "" {
		r.Status = "in_progress"
	}
	if r.HeadSHA == "" {
		r.HeadSHA = fmt.Sprintf("%040x", r.ID)
	}
	if r.HeadBranch == "" {
		r.HeadBranch = f.options.DefaultBranch
	}
	if r.Ref == "" {
		r.Ref = "refs/heads/" + r.HeadBranch
	}
	if r.Event == "" {
		r.Event = "push"
	}
	if r.Workflow == "" {
		r.Workflow = ".github/workflows/deploy.yml"
	}
	r.Attempt = max(r.Attempt, 1)
	f.data.Runs[r.ID] = r
	return r
}

func (f *Fake) runRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/actions/runs/{id}", "actions: read", f.workflowRun},
		{"GET /repos/{owner}/{repo}/actions/runs/{id}/attempts/{attempt}/jobs", "actions: read", f.listJobs},
	}
}

func (f *Fake) workflowRun(w http.ResponseWriter, r *http.Request) {
	run, ok := f.data.Runs[number(r.PathValue("id"))]
	if !ok {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	head := map[string]any{"id": repositoryID, "full_name": fullName(r)}
	if run.Fork {
		head = map[string]any{"id": forkID, "full_name": forkName(r)}
	}
	answerJSON(w, http.StatusOK, complete("workflow-run", map[string]any{
		"id": run.ID, "event": run.Event, "head_branch": run.HeadBranch, "head_sha": run.HeadSHA, "path": run.Workflow,
		"status": run.Status, "conclusion": orNull(run.Conclusion), "run_attempt": run.Attempt, "head_repository": head,
		"created_at": someTime, "updated_at": someTime,
	}))
}

func (f *Fake) listJobs(w http.ResponseWriter, r *http.Request) {
	run, attempt := f.data.Runs[number(r.PathValue("id"))], int(number(r.PathValue("attempt")))
	if attempt < 1 || attempt > run.Attempt {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	list := []any{}
	for i, job := range run.Jobs {
		if max(job.Attempt, 1) != attempt {
			continue
		}
		values := map[string]any{
			"id": run.ID*1000 + int64(i), "run_id": run.ID, "run_attempt": attempt, "name": job.Name, "head_sha": run.HeadSHA,
			"status": "in_progress", "conclusion": orNull(job.Conclusion), "created_at": someTime, "started_at": someTime,
			"runner_name": orNull(job.Runner),
		}
		if job.Status != "" {
			values["status"] = job.Status
		}
		list = append(list, complete("job", values))
	}
	answerJSON(w, http.StatusOK, map[string]any{"total_count": len(list), "jobs": page(w, r, list)})
}

// forkName is the fork that [Run.Fork] stands for.
func forkName(r *http.Request) string { return "fork/" + r.PathValue("repo") }

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
