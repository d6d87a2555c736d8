// Package statetest checks that a [state.Store] keeps what the interface
// promises. Every store runs it; what only one of them promises, such as
// surviving its process, is for that store's own tests.
package statetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/state"
)

// Run checks everything. The function open returns an empty store each time,
// and closes it when t ends.
func Run(t *testing.T, open func(t *testing.T) state.Store) {
	Records(t, open)
	Lock(t, open)
}

// Records checks Put, List and Flush.
func Records(t *testing.T, open func(t *testing.T) state.Store) {
	for name, check := range map[string]func(*testing.T, state.Store){
		"keeps every field":             keepsEveryField,
		"keeps the caller's data apart": keepsDataApart,
		"narrows by each query field":   narrows,
		"lists newest first":            newestFirst,
		"stops when asked to":           stops,
		"moves records up only":         movesUp,
		"refuses what nobody can read":  refuses,
		"takes puts at the same time":   takesConcurrentPuts,
		"lists the same after Flush":    survivesFlush,
		"keeps what is needed":          keepsWhatIsNeeded,
		"has nothing at first":          startsEmpty,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

// start is when the records of these tests start.
var start = time.Date(2025, 3, 1, 12, 0, 0, 123456789, time.UTC)

// full returns a record in which no field is zero.
func full(id string) state.Record {
	return state.Record{
		Schema:     state.Schema,
		ID:         id,
		Operation:  "deploy",
		Status:     state.Succeeded,
		Project:    "shop",
		App:        "web",
		Workspace:  "production",
		Labels:     map[string]string{"team": "a & b <c>"},
		Plugin:     "docker",
		Config:     json.RawMessage(`{"ports":[80]}`),
		Sequence:   7,
		Deployment: "web-abc",
		Digest:     "sha256:00",
		URL:        "https://example.com",
		Parent:     "P",
		Result:     json.RawMessage(`{"container":"c1"}`),
		Message:    "ünïcode",
		Origin: state.Origin{
			Commit: "3f2c", Ref: "refs/heads/main", Event: "push", Workflow: "w@1", Run: 1 << 40, Attempt: 2, Job: "j",
			Actor: "a", TriggeringActor: "b", Reason: "because", Version: "1", Binary: "sha256:01", ConfigHash: "h",
			Unknown: `"later":true`,
		},
		Started: start,
		Ended:   start.Add(time.Minute),
		Unknown: `"newer":{"x":[1,2]}`,
	}
}

func put(t *testing.T, s state.Store, records ...state.Record) {
	t.Helper()
	for _, r := range records {
		if err := s.Put(t.Context(), r); err != nil {
			t.Fatalf("Put(%s) = %v", r.ID, err)
		}
	}
}

func list(t *testing.T, s state.Store, q state.Query) []state.Record {
	t.Helper()
	var records []state.Record
	for r, err := range s.List(t.Context(), q) {
		if err != nil {
			t.Fatalf("List(%+v) = %v", q, err)
		}
		records = append(records, r)
	}
	return records
}

func ids(records []state.Record) []string {
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

func startsEmpty(t *testing.T, s state.Store) {
	if got := list(t, s, state.Query{}); len(got) != 0 {
		t.Errorf("List = %v, want nothing", ids(got))
	}
	if _, err := state.Latest(t.Context(), s, state.Query{}); err != state.ErrNotFound {
		t.Errorf("Latest = %v, want ErrNotFound", err)
	}
}

func keepsEveryField(t *testing.T, s state.Store) {
	want := full("A")
	put(t, s, want)
	got, err := state.Latest(t.Context(), s, state.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the record changed (-want +got):\n%s", diff)
	}
}

func keepsDataApart(t *testing.T, s state.Store) {
	r := full("A")
	put(t, s, r)
	r.Labels["team"], r.Config[2] = "changed", '!'
	if diff := cmp.Diff([]state.Record{full("A")}, list(t, s, state.Query{})); diff != "" {
		t.Errorf("the caller's change reached the store (-want +got):\n%s", diff)
	}
}

func narrows(t *testing.T, s state.Store) {
	other := state.Record{ID: "B", Status: state.Running, Started: start}
	put(t, s, full("A"), other)
	for name, q := range map[string]state.Query{
		"ID":         {ID: "A"},
		"Project":    {Project: "shop"},
		"App":        {App: "web"},
		"Workspace":  {Workspace: "production"},
		"Operation":  {Operation: "deploy"},
		"Deployment": {Deployment: "web-abc"},
		"Status":     {Status: state.Succeeded},
		"Commit":     {Commit: "3f2c"},
	} {
		if got := ids(list(t, s, q)); !slices.Equal(got, []string{"A"}) {
			t.Errorf("List by %s = %v, want [A]", name, got)
		}
	}
	if got := ids(list(t, s, state.Query{App: "web", Status: state.Running})); len(got) != 0 {
		t.Errorf("List by two fields that exclude one another = %v, want nothing", got)
	}
}

func newestFirst(t *testing.T, s state.Store) {
	at := func(id string, d time.Duration) state.Record {
		return state.Record{ID: id, Status: state.Failed, Started: start.Add(d)}
	}
	put(t, s, at("B", 0), at("D", time.Second), at("C", 0), at("A", 2*time.Second))
	want := []string{"A", "D", "C", "B"}
	if got := ids(list(t, s, state.Query{})); !slices.Equal(got, want) {
		t.Errorf("List = %v, want %v: by start, then by ID", got, want)
	}
}

func stops(t *testing.T, s state.Store) {
	put(t, s, full("A"), full("B"))
	n := 0
	for range s.List(t.Context(), state.Query{}) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("List yielded %d records to a loop that ended after one", n)
	}
}

func movesUp(t *testing.T, s state.Store) {
	at := func(status state.Status) state.Record {
		r := full("A")
		r.Status = status
		return r
	}
	for _, step := range []struct{ put, want state.Status }{
		{state.Running, state.Running},
		{state.Succeeded, state.Succeeded},
		{state.Failed, state.Succeeded},
		{state.Running, state.Succeeded},
		{state.Destroyed, state.Destroyed},
		{state.Succeeded, state.Destroyed},
	} {
		put(t, s, at(step.put))
		got := list(t, s, state.Query{ID: "A"})
		if len(got) != 1 || got[0].Status != step.want {
			t.Errorf("after Put(%s) List = %v, want one record that is %s", step.put, got, step.want)
		}
	}
}

func refuses(t *testing.T, s state.Store) {
	for name, r := range map[string]state.Record{
		"no ID":          {Status: state.Running},
		"no status":      {ID: "A"},
		"unknown status": {ID: "A", Status: "done"},
		"broken config":  {ID: "A", Status: state.Running, Config: json.RawMessage(`{`)},
	} {
		if err := s.Put(t.Context(), r); err == nil {
			t.Errorf("%s: Put = nil, want an error", name)
		}
	}
	if got := list(t, s, state.Query{}); len(got) != 0 {
		t.Errorf("List = %v, want nothing of what was refused", got)
	}
}

func takesConcurrentPuts(t *testing.T, s state.Store) {
	const n = 16
	errs := make(chan error)
	for i := range n {
		go func() { errs <- s.Put(context.WithoutCancel(t.Context()), full(fmt.Sprintf("R%02d", i))) }()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := list(t, s, state.Query{}); len(got) != n {
		t.Errorf("List = %v, want all %d records", ids(got), n)
	}
}

// keepsWhatIsNeeded puts more than a store has to keep.
func keepsWhatIsNeeded(t *testing.T, s state.Store) {
	var records []state.Record
	for i := 1; i <= state.Retention.Newest+20; i++ {
		r := full(fmt.Sprintf("R%03d", i))
		r.Sequence, r.Deployment, r.Parent = i, fmt.Sprintf("web-%d", i), ""
		r.Message = strings.Repeat("x", 1000)
		if i%10 > 0 {
			r.Status = state.Destroyed
		}
		r.Started = start.Add(time.Duration(i) * time.Second)
		records = append(records, r)
	}
	put(t, s, records...)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	needed, _ := state.Trim(state.Merge(records), state.Retention)
	kept := ids(list(t, s, state.Query{}))
	for _, id := range ids(needed) {
		if !slices.Contains(kept, id) {
			t.Errorf("List after Flush lacks %s, which is needed", id)
		}
	}
}

func survivesFlush(t *testing.T, s state.Store) {
	put(t, s, full("A"), full("B"))
	for range 2 {
		if err := s.Flush(t.Context()); err != nil {
			t.Fatalf("Flush = %v", err)
		}
	}
	if got := ids(list(t, s, state.Query{})); !slices.Equal(got, []string{"B", "A"}) {
		t.Errorf("List after Flush = %v, want [B A]", got)
	}
}
