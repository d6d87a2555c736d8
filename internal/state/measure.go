package state

import (
	"cmp"
	"slices"
	"time"
)

// Measures are the four DORA measures of one app in one workspace.
//
// A change is an artifact that had not been released there before. Releasing
// one of an earlier change again is going back, and no change; releasing the
// present one again is neither. What was interrupted counts nowhere.
type Measures struct {
	App, Workspace string

	// From and Until bound the time that is measured. From is later than asked
	// for where the records do not reach back that far.
	From, Until time.Time

	// Deployments is how often users were given something: releases that
	// succeeded.
	Deployments int

	// LeadTime is the median time of the changes from the start of the build to
	// the end of the release. When a change was committed is not recorded.
	LeadTime Median

	// Attempts are deploys and releases of changes that ended: releases, and
	// deploys that failed before there was one. Failures are those that failed
	// or were taken back later.
	Attempts, Failures int

	// TimeToRestore is the median time from a failure to the next release that
	// succeeded: from the end of what failed, or, where users had it before it
	// was taken back, from the end of its release. Failures with no success
	// between them are one.
	TimeToRestore Median

	// Unrestored says that the last attempt failed.
	Unrestored bool
}

// PerDay is how many deployments a day there were. A time shorter than a day
// counts as one.
func (m Measures) PerDay() float64 {
	return float64(m.Deployments) / max(1, m.Until.Sub(m.From).Hours()/24)
}

// FailureRate is the part of the attempts that were failures; 0 without any.
func (m Measures) FailureRate() float64 {
	return float64(m.Failures) / float64(max(m.Attempts, 1))
}

// Median is the middle of so many times; the mean of the two middle ones where
// their number is even.
type Median struct {
	Of    int
	Value time.Duration // 0 of none
}

func medianOf(times []time.Duration) Median {
	if len(times) == 0 {
		return Median{}
	}
	slices.Sort(times)
	low, high := times[(len(times)-1)/2], times[len(times)/2]
	return Median{len(times), low + (high-low)/2}
}

// Measure returns the measures of each app and workspace in records, by name.
// It counts what ended from since until then. A zero since is the beginning of
// the records.
func Measure(records []Record, since, until time.Time) []Measures {
	byID := map[string]Record{}
	places := map[series][]Record{} // without operation
	for _, r := range records {
		byID[r.ID] = r
		place := series{project: r.Project, app: r.App, workspace: r.Workspace}
		places[place] = append(places[place], r)
	}
	var all []Measures
	for place, records := range places {
		m := measuring{byID: byID, released: map[string]bool{}, Measures: Measures{
			App: place.app, Workspace: place.workspace, From: begin(records, since), Until: until,
		}}
		all = append(all, m.measure(records))
	}
	slices.SortFunc(all, func(a, b Measures) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Workspace, b.Workspace))
	})
	return all
}

// begin returns since, or the start of the oldest record where that is later and
// earlier ones were trimmed.
func begin(records []Record, since time.Time) time.Time {
	oldest := slices.MinFunc(records, func(a, b Record) int { return a.Started.Compare(b.Started) })
	if since.IsZero() || oldest.Sequence > 1 && oldest.Started.After(since) {
		return oldest.Started
	}
	return since
}

// measuring goes through the attempts of one app in one workspace, oldest first.
type measuring struct {
	Measures
	byID     map[string]Record
	released map[string]bool // origins of artifacts that users had
	present  string          // the one that they have
	since    time.Time       // when users got it
	changed  bool            // it was an attempt that counts and has not been taken back
	failed   time.Time       // when the failure began that is not restored; zero without one

	leads, restores []time.Duration
}

func (m *measuring) measure(records []Record) Measures {
	attempts := slices.SortedFunc(slices.Values(records), func(a, b Record) int {
		return cmp.Or(a.Ended.Compare(b.Ended), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range attempts {
		switch {
		case r.Ended.IsZero() || r.Ended.After(m.Until):
		case r.Operation == operationRelease && worked(r):
			m.success(r)
		case (r.Operation == operationRelease || r.Operation == operationDeploy) && r.Message != "" && ended(r):
			m.failure(r)
		}
	}
	m.LeadTime, m.TimeToRestore = medianOf(m.leads), medianOf(m.restores)
	m.Unrestored = !m.failed.IsZero()
	return m.Measures
}

// worked reports whether r succeeded, though what it made may be destroyed now:
// only operations that went wrong leave a message.
func worked(r Record) bool {
	return r.Message == "" && (r.Status == Succeeded || r.Status == Destroyed)
}

func (m *measuring) within(at time.Time) bool { return !at.Before(m.From) }

func (m *measuring) success(r Record) {
	artifact, begun := m.origin(r)
	counts := m.within(r.Ended)
	if counts {
		m.Deployments++
	}
	isNew := !m.released[artifact]
	switch {
	case isNew && counts:
		m.Attempts++
		m.leads = append(m.leads, r.Ended.Sub(begun))
	case !isNew && artifact != m.present: // going back
		if m.changed {
			m.Failures++
		}
		if m.failed.IsZero() {
			m.failed = m.since
		}
	}
	if !m.failed.IsZero() && counts {
		m.restores = append(m.restores, r.Ended.Sub(m.failed))
	}
	if artifact != m.present {
		m.present, m.since, m.changed = artifact, r.Ended, isNew && counts
	}
	m.released[artifact], m.failed = true, time.Time{}
}

func (m *measuring) failure(r Record) {
	if m.within(r.Ended) {
		m.Attempts++
		m.Failures++
	}
	if m.failed.IsZero() {
		m.failed = r.Ended
	}
}

// origin returns what identifies the artifact that r is of, and when its build
// began, as far back as the records go.
func (m *measuring) origin(r Record) (artifact string, begun time.Time) {
	for range len(m.byID) { // a file that was tampered with may go in a circle
		parent, ok := m.byID[r.Parent]
		if !ok {
			break
		}
		r = parent
	}
	return cmp.Or(r.Parent, r.ID), r.Started
}
