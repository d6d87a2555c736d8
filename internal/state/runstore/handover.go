package runstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// Handover is what one job of a run has asked GitHub for in the name of all
// jobs of the run, because together they may ask a thousand times an hour. It is
// an artifact of the run. That costs its readers no request, and whoever could
// forge it could forge the state of the run as well.
//
// It saves requests and decides nothing: a job that has none, or one of another
// attempt, asks for itself.
type Handover struct {
	Schema  int               `json:"schema"`
	Attempt int               `json:"attempt"`
	Made    time.Time         `json:"made"`
	Jobs    int               `json:"jobs"`           // that each change one app
	Runs    []github.Run      `json:"runs,omitempty"` // which made what is deployed now
	Apps    map[string]Handed `json:"apps,omitempty"` // those of the jobs

	// Older are commits that the run's own descends from.
	Older []string `json:"older,omitempty"`

	// Matrix is what the jobs were made of. It is for whoever makes it, and
	// means nothing here.
	Matrix json.RawMessage `json:"matrix,omitempty"`
}

// Handed is what a [Handover] knows of one app.
type Handed struct {
	Turn    int               `json:"turn"`              // place of its job in the row of all
	Page    claim.Page        `json:"page"`              // of its Deployments
	Run     int64             `json:"run,omitempty"`     // the newest that made one of them
	Uploads []github.Artifact `json:"uploads,omitempty"` // all that this run has uploaded for the app
}

const (
	handoverSchema = 1
	handoverFile   = "matrix.json"

	// fresh is how long a page of Deployments is as good as a new one.
	fresh = time.Hour

	// mostHandovers is how many artifacts of one name an attempt may find taken.
	mostHandovers = 50

	// mostHandedRuns is how many runs are asked about in advance.
	mostHandedRuns = 20
)

// What the jobs of a repository may do together, with some room, and what one
// of them does: lock, intent, statuses of commit and Deployment, and the lock's
// release. A spared job takes its lock, leaves its intent and says how it ended.
const (
	writesAnHour    = 450
	writesAMinute   = 70
	writesOfAJob    = 9
	writesOfASpared = 4
	sparedAnHour    = 100 // each asks nine times, and there are a thousand
)

// Spares reports whether the jobs are so many that each has to do without what
// can be left out.
func (h *Handover) Spares() bool { return h != nil && h.Jobs*writesOfAJob > writesAnHour }

// Turn returns when the job of an app may begin, so that all jobs together stay
// within what GitHub takes in a minute and in an hour. It is zero for an app of
// which nothing was handed over.
func (h *Handover) Turn(app string) time.Time {
	if h == nil {
		return time.Time{}
	}
	of, known := h.Apps[app]
	writes := writesOfAJob
	if h.Spares() {
		writes = writesOfASpared
	}
	if !known || h.Jobs*writes <= writesAMinute {
		return time.Time{}
	}
	hours, place := of.Turn/sparedAnHour, of.Turn%sparedAnHour
	return h.Made.Add(time.Duration(hours)*time.Hour + time.Duration(place*writes)*time.Minute/writesAMinute)
}

// handoverName returns the name of the artifact; see [key.name].
func handoverName(project, workspace string, number int) string {
	base := fmt.Sprintf("deploy-action-matrix.%s.%s", escape(project), escape(workspace))
	if number == 1 {
		return base
	}
	return base + "." + strconv.Itoa(number)
}

// ReadHandover returns the newest handover of this attempt of the run for the
// project and workspace of o; nil where there is none.
func ReadHandover(ctx context.Context, o Options) (*Handover, error) {
	if o.Service == nil {
		return nil, nil
	}
	list, err := o.Service.List(ctx)
	if err != nil {
		return nil, err
	}
	name := handoverName(o.Project, o.Workspace, 1)
	for _, a := range list { // newest first
		if a.Name != name && !strings.HasPrefix(a.Name, name+".") {
			continue
		}
		content, err := o.Service.Download(ctx, a, handoverFile)
		if err != nil {
			return nil, err
		}
		var h Handover
		if err := json.Unmarshal(content, &h); err != nil {
			return nil, fmt.Errorf("reading artifact %q: %w", a.Name, err)
		}
		if h.Schema != handoverSchema || h.Attempt != o.Run.Attempt {
			return nil, nil
		}
		return &h, nil
	}
	return nil, nil
}
