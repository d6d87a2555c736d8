package state

// Policy says what [Trim] keeps.
type Policy struct {
	Newest int // records of each operation of an app in a workspace
}

// Retention is the policy of every store: a state file of an app with 500
// deployments has about 30 KB, and rollback has a hundred to choose from.
var Retention = Policy{Newest: 100}

// The operations of records that retention tells apart.
const (
	operationBuild   = "build"
	operationPush    = "push"
	operationDeploy  = "deploy"
	operationRelease = "release"
	operationHold    = "hold"
)

// Trim takes out the records that nobody needs any more. Stores call it before
// they encode a file, and add what it trimmed to the ranges of the header.
//
// Only these records may go:
//   - a deployment or hold that is destroyed, a deployment in all its attempts;
//   - a release that ended before a later one succeeded, of a deployment that
//     is destroyed;
//   - a build or push that ended.
//
// Of these it keeps the newest of each operation, as many as p says, the newest
// that succeeded, and the highest sequence. A record stays, too, while one that
// stays points to it as its parent or by its deployment.
//
// Both results are in the order of records, which is that of [Merge].
func Trim(records []Record, p Policy) (kept []Record, trimmed Ranges) {
	t := newTrimming(records)
	for i, r := range records {
		if t.needed(r, p) {
			t.keep(i)
		}
	}
	var gone []Record
	for i, r := range records {
		if t.kept[i] {
			kept = append(kept, r)
		} else {
			gone = append(gone, r)
		}
	}
	if len(gone) == 0 {
		return records, nil
	}
	return kept, rangesOf(gone)
}

// series is one operation of an app in a workspace, whose sequences count.
type series struct{ project, app, workspace, operation string }

func seriesOf(r Record) series { return series{r.Project, r.App, r.Workspace, r.Operation} }

// deployed names a deployment. IDs of deployments are unique, and the app keeps
// it true for those that are not ours.
type deployed struct{ project, app, workspace, deployment string }

func deployedOf(r Record) deployed { return deployed{r.Project, r.App, r.Workspace, r.Deployment} }

// trimming marks what stays among records, newest first.
type trimming struct {
	records  []Record
	kept     []bool
	byID     map[string]int
	attempts map[deployed][]int // the records of the deployment's own operation
	highest  map[series]int     // sequence
	seen     map[series]int     // records that needed has looked at
	worked   map[series]bool    // one of those succeeded
}

func newTrimming(records []Record) *trimming {
	t := &trimming{
		records: records, kept: make([]bool, len(records)),
		byID: map[string]int{}, attempts: map[deployed][]int{},
		highest: map[series]int{}, seen: map[series]int{}, worked: map[series]bool{},
	}
	for i, r := range records {
		t.byID[r.ID] = i
		t.highest[seriesOf(r)] = max(t.highest[seriesOf(r)], r.Sequence)
		if r.Operation == operationDeploy {
			t.attempts[deployedOf(r)] = append(t.attempts[deployedOf(r)], i)
		}
	}
	return t
}

// needed reports whether r stays whatever points to it. It must be asked of
// every record in turn.
func (t *trimming) needed(r Record, p Policy) bool {
	s := seriesOf(r)
	workedLater := t.worked[s]
	t.seen[s]++
	t.worked[s] = workedLater || r.Status == Succeeded
	return t.seen[s] <= p.Newest ||
		r.Sequence == t.highest[s] ||
		r.Status == Succeeded && !workedLater ||
		!t.expendable(r, workedLater)
}

// expendable reports whether r is over for good.
func (t *trimming) expendable(r Record, workedLater bool) bool {
	switch r.Operation {
	case operationBuild, operationPush:
		return ended(r)
	case operationRelease:
		return r.Status == Destroyed || ended(r) && workedLater && t.destroyed(r)
	case operationDeploy:
		return t.destroyed(r)
	case operationHold:
		return r.Status == Destroyed
	}
	return false // of a newer version, which knows what it is for
}

// destroyed reports whether the deployment of r is destroyed in all attempts.
func (t *trimming) destroyed(r Record) bool {
	for _, i := range t.attempts[deployedOf(r)] {
		if t.records[i].Status != Destroyed {
			return false
		}
	}
	return true
}

// keep marks a record and all that it points to.
func (t *trimming) keep(i int) {
	if t.kept[i] {
		return
	}
	t.kept[i] = true
	r := &t.records[i]
	if parent, ok := t.byID[r.Parent]; ok {
		t.keep(parent)
	}
	if r.Deployment == "" {
		return
	}
	for _, attempt := range t.attempts[deployedOf(*r)] {
		t.keep(attempt)
	}
}

// ended reports whether the run that made r has said how it went.
func ended(r Record) bool { return r.Status != Running && r.Status != Interrupted }
