package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/state"
)

// incumbent is the release that serves users, as far as it bears on whether a
// run is outdated.
type incumbent struct {
	release state.Record
	commit  string // that what it serves was made from; "" where that is not known
	later   bool   // it was released after our run began
	back    bool   // it had been released before something else was: it was gone back to
}

// incumbent returns what is released. The sequence is that of the latest release
// when this process began its work on the app.
func (h history) incumbent(ours state.Origin, sequence int) (incumbent, bool) {
	release, ok := h.released()
	if !ok {
		return incumbent{}, false
	}
	known := h.lineages()
	i := incumbent{release: release, commit: release.Origin.Commit}
	for _, made := range known.content(release) {
		i.commit = cmp.Or(made.Origin.Commit, i.commit) // the last is the first that was made
	}
	for _, r := range slices.Backward(h) {
		if isOf(ours, r) { // our first one: of an earlier step, job or attempt
			i.later = release.Started.After(r.Started)
			break
		}
	}
	// Runs are numbered in the order in which they are made.
	i.later = i.later || release.Sequence > sequence || ours.Run != 0 && release.Origin.Run > ours.Run
	i.back = known.wentBack(release)
	return i, true
}

// lineages are records by what they were made from.
type lineages struct {
	records history
	byID    map[string]int // index of each
	deploys map[string]int // index of the newest deploy of each deployment
}

// lineages prepares h for many questions.
func (h history) lineages() lineages {
	known := lineages{h, map[string]int{}, map[string]int{}}
	for i := len(h) - 1; i >= 0; i-- {
		known.byID[h[i].ID] = i
		if h[i].Operation == stageDeploy {
			known.deploys[h[i].Deployment] = i
		}
	}
	return known
}

// content returns the records that a release goes back to: its deploy, and what
// that was made from, the first that was made last.
func (l lineages) content(release state.Record) []state.Record {
	var found []state.Record
	at, ok := l.deploys[release.Deployment]
	for ok && len(found) < len(l.records) { // a damaged state may have circles
		found = append(found, l.records[at])
		at, ok = l.byID[l.records[at].Parent]
	}
	return found
}

// wentBack reports whether what the release serves had been released before, and
// something else since.
func (l lineages) wentBack(release state.Record) bool {
	origin, other := l.origin(release), false
	for _, r := range l.records { // newest first
		served := r.Operation == stageRelease && (r.Status == state.Succeeded || r.Status == state.Destroyed)
		switch {
		case !served || r.Sequence >= release.Sequence:
		case l.origin(r) != origin:
			other = true
		case other:
			return true
		}
	}
	return false
}

// origin identifies what a release serves: the first record of its making, or
// what that was made from in another workspace.
func (l lineages) origin(release state.Record) string {
	content := l.content(release)
	if len(content) == 0 {
		return release.Deployment
	}
	first := content[len(content)-1]
	return cmp.Or(first.Parent, first.ID)
}

// sentence says who released what, and when.
func (i incumbent) sentence(now time.Time) string {
	who, what := actor(i.release.Origin), shortCommit(i.commit)
	if run := i.release.Origin.Run; run != 0 {
		who = fmt.Sprintf("run %d", run)
	}
	if what == "" {
		what = "deployment " + i.release.Deployment
	}
	at := i.release.Ended
	if at.IsZero() {
		at = i.release.Started
	}
	return fmt.Sprintf("outdated: %s released %s %s; to go back use rollback", who, what, ago(now.Sub(at)))
}

// shortCommit is as much of a commit's name as people compare.
func shortCommit(commit string) string { return commit[:min(len(commit), 7)] }

// ago says how long something is over, in one unit.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		switch n := int(d / unit.length); {
		case n > 1:
			return fmt.Sprintf("%d %ss ago", n, unit.name)
		case n == 1:
			return "1 " + unit.name + " ago"
		}
	}
	return "just now"
}
