// Package runstore keeps records on GitHub: for each app in a workspace one
// state file, which every run that changes it writes anew, and which the next
// run finds again by its name. The file is a workflow artifact, or, where there
// are no artifacts, on a git ref.
//
// Records go to a journal on local disk first, and from there into the file at
// the end of a step. Artifacts never change and there is no way to replace one
// in a single move, so two runs may upload at the same time. That costs
// nothing: the state is the union of what the runs uploaded. A ref is moved only
// from the commit that was read.
//
// Package claim keeps two jobs from writing at once, and tells GitHub of each
// deployment before it is begun. By what GitHub was told the state is known to
// be whole, and is rebuilt where it is lost.
package runstore

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// Options says whose records a [Store] keeps, and where.
type Options struct {
	Client  *github.Client
	Service *github.Service // of this run; nil where there is none: then Flush to artifacts fails
	Journal string          // file on local disk, see [JournalPath]
	Notes   string          // file that says to later steps of the job what it has locked; "" is one beside Journal
	Git     bool            // records are kept on git refs, and not in artifacts
	Runner  string          // its name, which tells jobs of one attempt apart where there is no Service, and whether one has ended
	Secrets *secret.Set
	Run     workflow.Context

	Project   string
	Apps      []string // what a query without an app means
	Workspace string   // what a query without a workspace means
	Path      string   // of waypoint.hcl, from the top of the repository

	// Refs are patterns, as [path.Match] takes them, of branches and tags whose
	// runs are believed besides those of the default branch and of our own ref.
	Refs []string

	// RefsOf returns further patterns, for one workspace. Nil for none.
	RefsOf func(workspace string) []string

	Days      int               // how long this run keeps artifacts; 0 for as long as the repository says
	Longest   time.Duration     // that one operation may take; 0 for an hour
	NoLock    bool              // Lock excludes goroutines of this process only
	NoIntents bool              // no Deployment is made: the record itself is uploaded first
	Warn      func(text string) // told what users should know; nil tells nobody
}

// Store implements [state.Store]. It is safe for concurrent use. It asks GitHub
// for one thing at a time, but for what Deployments tell, which it asks for
// beside what is kept.
type Store struct {
	options Options
	journal *state.Journal
	locks   state.Locks
	locker  *claim.Locker
	intents claim.Intents
	handed  *handed

	mu      sync.Mutex // also guards place and trust
	place   place
	trust   *trust
	views   map[key]*view
	told    map[string]int64 // Deployments at GitHub, by our ID of the deployment
	locked  map[key]exclusion
	untend  []func() // end what looks after locks
	warned  bool     // of a short retention
	allowed bool     // the token was seen to write what no lock shows that it may
}

var _ state.Store = (*Store)(nil)

// view is what is known about one app in one workspace, besides the journal.
type view struct {
	complete bool           // all was asked for, and has come
	records  []state.Record // merged, newest first
	header   state.Header   // of the newest file that was read
	kept     bool           // there is a file

	// Of artifacts.
	merged   map[int64]bool  // those whose records are among ours
	asked    map[int64]bool  // runs whose uploads are among these
	taken    map[string]bool // names that the run is known to have
	uploaded int64           // the artifact that this process made last, or 0
	lost     bool            // one is gone that was newer than those that are believed
	newest   time.Time       // when the newest artifact that is believed was made
	renewal  time.Time       // when it is to be uploaded again: half of its time is over; zero if it was made by us

	rebuilt    []state.Record // of Deployments whose records are lost
	incomplete bool           // Deployments of ours may be missing from all of it
	explained  bool           // users know that no file is left, or not the newest
	doubtful   bool           // users know that it may not be so any more
}

// Open opens the journal, which may hold records of an earlier step of the job
// or of one that was killed. It sends nothing. The caller closes the Store.
func Open(o Options) (*Store, error) {
	journal, err := state.OpenJournal(o.Journal, o.Secrets)
	if err != nil {
		return nil, err
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	job := o.Run.Job + " " + o.Runner
	if o.Service != nil {
		job = o.Run.Job + " " + o.Service.Job()
	}
	s := &Store{
		options: o, journal: journal,
		intents: claim.Intents{Client: o.Client, Run: o.Run},
		handed:  &handed{options: o},
		views:   map[key]*view{}, told: map[string]int64{}, locked: map[key]exclusion{},
	}
	s.locker = claim.NewLocker(claim.LockOptions{
		Client: o.Client, Run: o.Run, Job: job, Runner: o.Runner, Notes: cmp.Or(o.Notes, o.Journal+".locks"), Longest: o.Longest,
		// Whoever may not lock by a ref may not keep records on one.
		NoDeployments: o.NoIntents || o.Git, Known: s.handed.run,
	})
	s.trust = &trust{
		client: o.Client, run: o.Run, refs: o.Refs, refsOf: o.RefsOf, handed: s.handed,
		runs: map[int64]github.Run{}, defaultBranch: o.Run.DefaultBranch,
	}
	if o.Git {
		s.place = &refs{client: o.Client, run: o.Run.RunURL(), at: map[key]string{}}
	} else {
		s.place = &artifacts{client: o.Client, service: o.Service, run: o.Run, trust: s.trust, handed: s.handed, locker: s.locker}
	}
	return s, nil
}

// Close closes the journal, and lets the leases of locks run out. It does not
// flush.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, untend := range s.untend {
		untend()
	}
	return s.journal.Close()
}

// Pending returns the records that Flush would upload, newest first: none,
// unless a process died before its own Flush.
func (s *Store) Pending() []state.Record { return s.journal.Records() }

// List implements [state.Store]. The first query about an app in a workspace
// asks GitHub; where that fails, or what it finds must not be believed, it
// yields an [*UnreadableError] and no record. Later ones are answered from
// memory while nobody else can write. Where this process changes what others
// may change as well, because the lock is none or best effort, each one asks
// again that does not say Known: for new Deployments alone where it says Early
// and there is a lock. If GitHub does not answer then, users are warned and
// memory has to do.
func (s *Store) List(ctx context.Context, q state.Query) iter.Seq2[state.Record, error] {
	return func(yield func(state.Record, error) bool) {
		records, err := s.read(ctx, q)
		if err != nil {
			yield(state.Record{}, err)
			return
		}
		for _, r := range records {
			if state.Match(q, r) && !yield(r, nil) {
				return
			}
		}
	}
}

// read returns all records that may match q, newest first.
func (s *Store) read(ctx context.Context, q state.Query) ([]state.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := [][]state.Record{s.journal.Records()}
	var trimmed state.Ranges
	for _, k := range s.keys(q, copies[0]) {
		v := s.view(k)
		if err := s.know(ctx, k, v, q); err != nil {
			return nil, err
		}
		copies = append(copies, v.records, v.rebuilt)
		trimmed = trimmed.Union(v.header.Trimmed)
	}
	return trimmed.Merge(copies...), nil
}

// know makes v hold what is kept of k, asking only where that is not certain.
func (s *Store) know(ctx context.Context, k key, v *view, q state.Query) error {
	if !v.complete {
		return s.refresh(ctx, k, v)
	}
	others := s.locked[k]
	if q.Known || others == alone || others == 0 {
		return nil
	}
	var err error
	news := true
	if q.Early && others == queued {
		news, err = s.hasNews(ctx, k, v)
	}
	if news && err == nil {
		err = s.refresh(ctx, k, v)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if v.doubtful {
		return nil
	}
	v.doubtful = true
	s.options.Warn(fmt.Sprintf("Whether another run has changed app %q in workspace %q meanwhile is not known: %v.", k.app, k.workspace, err))
	return nil
}

// keys returns what q asks about: what it names, else what the store was opened
// for, and whatever else the journal and this process have dealt with.
func (s *Store) keys(q state.Query, journal []state.Record) []key {
	apps := s.options.Apps
	if q.App != "" {
		apps = []string{q.App}
	}
	keys := map[key]bool{}
	for _, app := range apps {
		keys[key{cmp.Or(q.Project, s.options.Project), app, cmp.Or(q.Workspace, s.options.Workspace)}] = true
	}
	for _, r := range journal {
		keys[keyOf(r)] = true
	}
	for k := range s.views {
		keys[k] = true
	}
	wanted := state.Query{Project: q.Project, App: q.App, Workspace: q.Workspace}
	maps.DeleteFunc(keys, func(k key, _ bool) bool {
		return !state.Match(wanted, state.Record{Project: k.project, App: k.app, Workspace: k.workspace})
	})
	return slices.SortedFunc(maps.Keys(keys), compareKeys)
}

func (s *Store) view(k key) *view {
	if s.views[k] == nil {
		s.views[k] = &view{merged: map[int64]bool{}, asked: map[int64]bool{}, taken: map[string]bool{}}
	}
	return s.views[k]
}
