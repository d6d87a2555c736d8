package runstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// Found is what a job has found out before it hands over.
type Found struct {
	Surveys map[string]*claim.Survey // of Deployments, by app
	Older   []string                 // see [Handover]
	Matrix  json.RawMessage
}

// HandOver uploads what was found for the jobs that will deploy the apps, in
// this order, and what each of them would ask about the runs that made what is
// deployed. It asks about so few runs that this always is a saving; what cannot
// be told the jobs find out by themselves.
func HandOver(ctx context.Context, o Options, apps []string, found Found) error {
	h := Handover{
		Schema: handoverSchema, Attempt: o.Run.Attempt, Made: time.Now().UTC(), Jobs: len(apps), Apps: map[string]Handed{},
		Older: found.Older, Matrix: found.Matrix,
	}
	users := map[int64]int{}
	for turn, app := range apps {
		of := Handed{Turn: turn}
		if s := found.Surveys[app]; s != nil {
			of.Page = s.Page
			if len(s.Intents) > 0 {
				of.Run = s.Intents[0].Run
				users[of.Run]++
			}
		}
		h.Apps[app] = of
	}
	runs := slices.SortedFunc(maps.Keys(users), func(a, b int64) int {
		return cmp.Or(cmp.Compare(users[b], users[a]), cmp.Compare(b, a))
	})
	for _, run := range runs {
		if run != 0 && run != o.Run.RunID && users[run] > 1 && len(h.Runs) < mostHandedRuns {
			h.askAbout(ctx, o, run)
		}
	}
	content, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("writing the handover: %w", err)
	}
	for number := 1; number <= mostHandovers; number++ {
		_, err = o.Service.Upload(ctx, handoverName(o.Project, o.Workspace, number), handoverFile, content)
		if !errors.Is(err, github.ErrNameTaken) {
			break
		}
	}
	return err
}

// askAbout adds a run, and what it has uploaded, for the apps that it has made
// the newest Deployments of.
func (h *Handover) askAbout(ctx context.Context, o Options, id int64) {
	run, err := o.Client.Run(ctx, id)
	if err != nil {
		return
	}
	uploads := map[string][]github.Artifact{}
	for a, err := range o.Client.RunArtifacts(ctx, id) {
		if err != nil {
			return
		}
		for app, of := range h.Apps {
			if of.Run == id && (key{o.Project, app, o.Workspace}).names(a.Name) {
				uploads[app] = append(uploads[app], a)
			}
		}
	}
	h.Runs = append(h.Runs, run)
	for app, list := range uploads {
		of := h.Apps[app]
		of.Uploads = list
		h.Apps[app] = of
	}
}
