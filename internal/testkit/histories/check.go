package histories

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/state"
)

// check reads the state of an app as the next run does.
func (w *world) check(app string) {
	w.hub.Run(99, 1, false)
	s := w.job(99, 1).step(w.hub)
	defer s.Close()
	if _, err := s.Lock(w.t.Context(), "shop", app, "production", nil); err != nil {
		w.t.Fatal(err)
	}
	records := w.list(s, app)
	w.checkNumbers(records)
	for deployment := range w.begun {
		if strings.HasPrefix(deployment, app+"-") {
			w.checkDeployment(records, deployment)
		}
	}
	if w.losses.any() {
		w.checkServing(records, app)
		return
	}
	for _, id := range []string{"", "-release"} {
		for deployment := range w.begun {
			if own, ok := strings.CutPrefix(deployment, app+"-"); ok && w.finished[own+id] && statusOf(records, own+id) != state.Succeeded {
				w.t.Errorf("the record %s%s of an operation that ended is lost", own, id)
			}
		}
	}
	for _, id := range w.backs[app] {
		if w.finished[id] && statusOf(records, id) != state.Succeeded {
			w.t.Errorf("the record %s of a release that was made again is lost", id)
		}
	}
	w.checkOlder(records, app)
}

// list returns the records of an app, newest first.
func (w *world) list(s step, app string) []state.Record {
	records := []state.Record{}
	for r, err := range s.List(w.t.Context(), state.Query{App: app}) {
		if err != nil {
			w.t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

// statusOf returns how far the record of an ID is; "" where there is none.
func statusOf(records []state.Record, id string) state.Status {
	for _, r := range records {
		if r.ID == id {
			return r.Status
		}
	}
	return ""
}

// checkNumbers looks for sequences and IDs that were given twice.
func (w *world) checkNumbers(records []state.Record) {
	sequences, deployments := map[int]string{}, map[string]string{}
	for _, r := range records {
		if r.Operation != "deploy" {
			continue
		}
		if other, taken := sequences[r.Sequence]; taken && w.exclusive() {
			w.t.Errorf("records %s and %s have sequence %d", other, r.ID, r.Sequence)
		}
		if other, taken := deployments[r.Deployment]; taken {
			w.t.Errorf("records %s and %s have deployment %s", other, r.ID, r.Deployment)
		}
		sequences[r.Sequence], deployments[r.Deployment] = r.ID, r.ID
	}
}

// checkDeployment looks for a deployment that was begun. What GitHub was told
// of its end must be known even where no artifact says it any more.
func (w *world) checkDeployment(records []state.Record, deployment string) {
	at := slices.IndexFunc(records, func(r state.Record) bool { return r.Operation == "deploy" && r.Deployment == deployment })
	if at < 0 {
		w.t.Errorf("deployment %s is lost", deployment)
		return
	}
	if _, id, _ := strings.Cut(deployment, "-"); records[at].ID != id {
		w.t.Errorf("the record of deployment %s is %s", deployment, records[at].ID)
	}
	if w.told[deployment] && w.exclusive() && records[at].Status != state.Succeeded {
		w.t.Errorf("deployment %s is %s, and GitHub was told that it succeeded", deployment, records[at].Status)
	}
}

// checkServing compares what the state says is released with what is. GitHub
// may not know of the last ones, if their runs did not come to tell it.
func (w *world) checkServing(records []state.Record, app string) {
	if !w.exclusive() {
		return
	}
	var may []string
	for _, last := range slices.Backward(w.served[app]) {
		if may = append(may, last.deployment); last.told {
			break
		}
	}
	released := slices.DeleteFunc(slices.Clone(records), func(r state.Record) bool { return r.Operation != "release" || r.Status != state.Succeeded })
	switch {
	case len(released) == 0 && slices.ContainsFunc(w.served[app], func(s service) bool { return s.told }):
		w.t.Errorf("no release of %s is known, want %s", app, may)
	case len(released) > 0 && !slices.Contains(may, released[0].Deployment):
		w.t.Errorf("%s of %s is released, want one of %s", released[0].Deployment, app, may)
	}
}

// checkOlder merges the state with older copies. Of what went with its machine
// nobody else had one.
func (w *world) checkOlder(records []state.Record, app string) {
	older := slices.DeleteFunc(slices.Clone(w.older[app]), func(r state.Record) bool {
		return r.Status == state.Succeeded && !w.finished[r.ID]
	})
	if diff := cmp.Diff(records, state.Merge(records, older)); diff != "" {
		w.t.Errorf("an older copy changes the state (-want +got):\n%s", diff)
	}
}
