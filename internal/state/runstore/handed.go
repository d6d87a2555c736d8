package runstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// handed is the handover as a job has read it.
type handed struct {
	options Options // of the store

	mu    sync.Mutex
	asked bool
	found *Handover    // nil where there is none
	stale map[key]bool // somebody else has deployed since
}

// outdate makes what was handed over about the Deployments of k worth nothing:
// whoever has the lock now makes more.
func (h *handed) outdate(k key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stale == nil {
		h.stale = map[key]bool{}
	}
	h.stale[k] = true
}

// Handover returns what was handed over to this job, or nil. It asks the
// artifact service once; where that fails there is nothing.
func (s *Store) Handover(ctx context.Context) *Handover { return s.handed.read(ctx) }

func (h *handed) read(ctx context.Context) *Handover {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.asked {
		found, err := ReadHandover(ctx, h.options)
		if err != nil && ctx.Err() != nil {
			return nil
		}
		h.asked, h.found = true, found
	}
	return h.found
}

// Spares reports whether this job leaves out what it can. It is false until
// [Store.Handover] was called.
func (s *Store) Spares() bool { return s.handed.spares() }

func (h *handed) spares() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.found.Spares()
}

// recent returns the newest Deployments of k, without asking where they were
// handed over. Then there may be more of them: the page is of all apps.
func (s *Store) recent(ctx context.Context, k key) (page claim.Page, handed bool, err error) {
	if h := s.Handover(ctx); h != nil && time.Since(h.Made) < fresh && s.handed.current(k) {
		of, known := h.Apps[k.app]
		// GraphQL has no room for the largest IDs.
		whole := !slices.ContainsFunc(of.Page.Intents, func(i claim.Intent) bool { return i.ID == 0 })
		if known && whole {
			return of.Page, true, nil
		}
	}
	if page, seen := s.locker.Seen(k.claim()); seen {
		return page, false, nil
	}
	page, err = s.intents.Recent(ctx, k.claim())
	return page, false, err
}

// current reports whether what was handed over about k still holds.
func (h *handed) current(k key) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.about(k) && !h.stale[k]
}

// about reports whether k belongs to what is handed over.
func (h *handed) about(k key) bool {
	return k.project == h.options.Project && k.workspace == h.options.Workspace
}

// run returns what was handed over about a run.
func (h *handed) run(id int64) (github.Run, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.found == nil {
		return github.Run{}, false
	}
	at := slices.IndexFunc(h.found.Runs, func(r github.Run) bool { return r.ID == id })
	if at < 0 {
		return github.Run{}, false
	}
	return h.found.Runs[at], true
}

// uploads returns what a run that has ended had uploaded for k.
func (h *handed) uploads(k key, run int64) ([]github.Artifact, bool) {
	if known, ok := h.run(run); !ok || !known.Ended() || !h.current(k) {
		return nil, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	of := h.found.Apps[k.app]
	return of.Uploads, of.Run == run
}
