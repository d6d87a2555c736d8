package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// eventPath is the variable that names the file with the event.
const eventPath = "GITHUB_EVENT_PATH"

// withoutEvent hides the event from the library, which would keep nothing of
// the context where the event cannot be read.
func withoutEvent(getenv func(string) string) func(string) string {
	return func(name string) string {
		if name == eventPath {
			return ""
		}
		return getenv(name)
	}
}

// event is what we read of the webhook payload that started the run.
type event struct {
	Action string `json:"action"`

	// Of a push.
	Before string `json:"before"`
	After  string `json:"after"`
	Forced bool   `json:"forced"`

	Repository struct {
		DefaultBranch string `json:"default_branch"`
	} `json:"repository"`
	PullRequest *struct {
		Number int     `json:"number"`
		State  string  `json:"state"`
		Draft  bool    `json:"draft"`
		Merged bool    `json:"merged"`
		Head   branch  `json:"head"`
		Base   branch  `json:"base"`
		Labels []label `json:"labels"`
	} `json:"pull_request"`
	Label       label `json:"label"`
	WorkflowRun struct {
		HeadSHA string `json:"head_sha"`
	} `json:"workflow_run"`
	MergeGroup struct {
		HeadSHA string `json:"head_sha"`
	} `json:"merge_group"`
}

// branch is one end of a pull request.
type branch struct {
	SHA  string `json:"sha"`
	Ref  string `json:"ref"`
	Repo *struct {
		FullName string `json:"full_name"`
	} `json:"repo"` // nil where it was deleted
}

type label struct {
	Name string `json:"name"`
}

// readEvent reads the file at path. Without one the event is empty.
func readEvent(path string) (event, error) {
	if path == "" {
		return event{}, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return event{}, nil
	}
	if err != nil {
		return event{}, fmt.Errorf("reading the event: %w", err)
	}
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return event{}, fmt.Errorf("decoding the event in %s: %w", path, err)
	}
	return e, nil
}

// headSHA returns the commit that people look at, where that is another one
// than the runner names, or "".
func (e event) headSHA() string {
	switch {
	case e.PullRequest != nil:
		return e.PullRequest.Head.SHA
	case e.WorkflowRun.HeadSHA != "":
		return e.WorkflowRun.HeadSHA
	}
	return e.MergeGroup.HeadSHA
}

// pullRequest returns the pull request that the event is about, or nil.
func (e event) pullRequest() *PullRequest {
	from := e.PullRequest
	if from == nil {
		return nil
	}
	p := &PullRequest{
		Number:  from.Number,
		HeadSHA: from.Head.SHA,
		HeadRef: from.Head.Ref,
		BaseRef: from.Base.Ref,
		Draft:   from.Draft,
		Merged:  from.Merged,
		State:   from.State,
		Label:   e.Label.Name,
	}
	if from.Head.Repo != nil {
		p.HeadRepo = from.Head.Repo.FullName
	}
	p.Fork = from.Head.Repo == nil || from.Base.Repo == nil || p.HeadRepo != from.Base.Repo.FullName
	for _, l := range from.Labels {
		p.Labels = append(p.Labels, l.Name)
	}
	return p
}
