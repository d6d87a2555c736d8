package engine

import (
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/state"
)

func TestOutdatedBy(t *testing.T) {
	t.Parallel()
	const (
		ours   = "1111111aaaa"
		theirs = "2222222bbbb"
	)
	by := func(run int64) incumbent {
		return incumbent{release: state.Record{Origin: state.Origin{Run: run}}, commit: theirs}
	}
	later := func(i incumbent) incumbent { i.later = true; return i }
	back := func(i incumbent) incumbent { i.back = true; return i }
	of := func(commit string, i incumbent) incumbent { i.commit = commit; return i }
	const (
		descends = "commit 2222222 descends from 1111111, which this run would release"
		last     = "it was released after this run began"
		wentBack = "it was released after this run began, by going back to an earlier one"
	)
	cases := map[string]struct {
		incumbent incumbent
		ancestry  Ancestry
		want      string // why it is outdated; "" where it is not
	}{
		"a newer commit":                                       {by(99), Descendant, descends},
		"a newer commit of a later run":                        {later(by(101)), Descendant, descends},
		"a newer commit that was gone back to":                 {later(back(by(101))), Descendant, descends},
		"an older commit":                                      {by(99), Ancestor, ""},
		"an older commit of a later run":                       {later(by(101)), Ancestor, ""},
		"an older commit that was gone back to before":         {back(by(99)), Ancestor, ""},
		"an older commit that was gone back to meanwhile":      {later(back(by(101))), Ancestor, wentBack},
		"another branch, released before":                      {by(99), Diverged, ""},
		"another branch, released meanwhile":                   {later(by(101)), Diverged, last},
		"an unknown commit, released before":                   {by(99), "", ""},
		"an unknown commit, released meanwhile":                {later(by(101)), "", last},
		"no commit, released meanwhile":                        {of("", later(by(101))), "", last},
		"the same commit":                                      {of(ours, by(99)), "", ""},
		"the same commit, released meanwhile":                  {of(ours, later(by(101))), "", ""},
		"this run itself, in an earlier step or attempt":       {later(by(100)), "", ""},
		"this run itself, which went back to a newer commit":   {back(by(100)), Descendant, ""},
		"off a runner, where nobody knows whose a release was": {later(by(0)), "", last},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin := state.Origin{Run: 100, Commit: ours}
			if name == "off a runner, where nobody knows whose a release was" {
				origin.Run = 0
			}
			why, outdated := outdatedBy(c.incumbent, origin, c.ancestry)
			if why != c.want || outdated != (c.want != "") {
				t.Errorf("outdatedBy = %q, %v, want %q", why, outdated, c.want)
			}
		})
	}
}

// past is a history in the order in which it happened.
type past struct{ records history }

// did adds a record of an operation of a run, made from another one.
func (p *past) did(operation string, sequence int, run int64, commit, parent string) {
	n := len(p.records)
	r := state.Record{
		ID: operation + string(rune('0'+sequence)), Operation: operation, Sequence: sequence, Status: state.Succeeded, Parent: parent,
		Started: time.Unix(int64(n), 0), Origin: state.Origin{Run: run, Commit: commit},
	}
	switch operation {
	case stageDeploy:
		r.Deployment = "web-" + string(rune('0'+sequence))
	case stageRelease:
		r.Deployment = "web-" + parent[len(parent)-1:]
	}
	p.records = append(history{r}, p.records...)
}

// up adds what one run does that goes well.
func (p *past) up(sequence int, run int64, commit string) {
	number := string(rune('0' + sequence))
	p.did(stageBuild, sequence, run, commit, "")
	p.did(stageDeploy, sequence, run, commit, stageBuild+number)
	p.did(stageRelease, sequence, run, commit, stageDeploy+number)
}

func TestIncumbent(t *testing.T) {
	t.Parallel()
	type found struct {
		commit      string
		later, back bool
	}
	cases := map[string]struct {
		past     func(*past)
		run      int64
		sequence int // of the latest release when the process began
		want     found
	}{
		"released before": {
			past: func(p *past) { p.up(1, 10, "one"); p.up(2, 11, "two") }, run: 12, sequence: 2, want: found{commit: "two"},
		},
		"released by a run that was made later": {
			past: func(p *past) { p.up(1, 10, "one"); p.up(2, 11, "two") }, run: 9, sequence: 2, want: found{commit: "two", later: true},
		},
		"released while this process worked": {
			past: func(p *past) { p.up(1, 10, "one"); p.up(2, 11, "two") }, run: 12, sequence: 1, want: found{commit: "two", later: true},
		},
		"released since an earlier job of this run, by one that was made before": {
			past: func(p *past) { p.up(1, 10, "one"); p.did(stageBuild, 2, 12, "three", ""); p.up(3, 11, "two") },
			run:  12, sequence: 3, want: found{commit: "two", later: true},
		},
		"released before an earlier job of this run": {
			past: func(p *past) { p.up(1, 10, "one"); p.did(stageBuild, 2, 12, "three", "") }, run: 12, sequence: 1, want: found{commit: "one"},
		},
		"gone back to, by a run of the newest commit": {
			past: func(p *past) {
				p.up(1, 10, "one")
				p.up(2, 11, "two")
				p.did(stageRelease, 3, 13, "three", "deploy1")
			},
			run: 12, sequence: 3, want: found{commit: "one", later: true, back: true},
		},
		"deployed again to go back to it": {
			past: func(p *past) {
				p.up(1, 10, "one")
				p.up(2, 11, "two")
				p.did(stageDeploy, 3, 13, "three", "build1")
				p.did(stageRelease, 3, 13, "three", "deploy3")
			},
			run: 14, sequence: 3, want: found{commit: "one", back: true},
		},
		"built before what was released last, and never released until now": {
			past: func(p *past) {
				p.did(stageBuild, 2, 11, "two", "")
				p.up(1, 10, "one")
				p.did(stageDeploy, 2, 11, "two", "build2")
				p.did(stageRelease, 2, 11, "two", "deploy2")
			},
			run: 12, sequence: 2, want: found{commit: "two"},
		},
		"released twice": {
			past: func(p *past) { p.up(1, 10, "one"); p.did(stageRelease, 2, 10, "one", "deploy1") },
			run:  12, sequence: 2, want: found{commit: "one"},
		},
		"of which only the release is known": {
			past: func(p *past) { p.did(stageRelease, 1, 10, "one", "deploy1") }, run: 12, sequence: 1, want: found{commit: "one"},
		},
		"made of something that was made of it": {
			past: func(p *past) {
				p.did(stageBuild, 1, 10, "one", "deploy1")
				p.did(stageDeploy, 1, 10, "one", "build1")
				p.did(stageRelease, 1, 10, "one", "deploy1")
			},
			run: 12, sequence: 1, want: found{commit: "one"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p past
			c.past(&p)
			i, ok := p.records.incumbent(state.Origin{Run: c.run}, c.sequence)
			if got := (found{i.commit, i.later, i.back}); !ok || got != c.want {
				t.Errorf("incumbent = %+v, %v, want %+v", got, ok, c.want)
			}
		})
	}
}

func TestIncumbentOfNothing(t *testing.T) {
	t.Parallel()
	var p past
	p.did(stageBuild, 1, 10, "one", "")
	if i, ok := p.records.incumbent(state.Origin{Run: 9}, 0); ok {
		t.Errorf("incumbent = %+v, want none before the first release", i)
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	since := func(d time.Duration, origin state.Origin) state.Record {
		return state.Record{Deployment: "web-a1b2", Origin: origin, Ended: now.Add(-d)}
	}
	cases := map[string]incumbent{
		"outdated: run 812 released 3f2c1a9 4 minutes ago; to go back use rollback":          {release: since(4*time.Minute+time.Second, state.Origin{Run: 812}), commit: "3f2c1a9b0d1e"},
		"outdated: alice released 3f2c1a9 1 hour ago; to go back use rollback":               {release: since(time.Hour, state.Origin{Actor: "alice"}), commit: "3f2c1a9b0d1e"},
		"outdated: run 812 released deployment web-a1b2 3 days ago; to go back use rollback": {release: since(80*time.Hour, state.Origin{Run: 812})},
		"outdated: run 812 released 3f2c just now; to go back use rollback":                  {release: since(0, state.Origin{Run: 812}), commit: "3f2c"},
		"outdated: run 812 released 3f2c 59 seconds ago; to go back use rollback":            {release: since(59*time.Second, state.Origin{Run: 812}), commit: "3f2c"},
	}
	for want, i := range cases {
		if got := i.sentence(now); got != want {
			t.Errorf("sentence = %q, want %q", got, want)
		}
	}
}
