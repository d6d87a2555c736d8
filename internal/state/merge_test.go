package state_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/state"
)

func TestMergeTakesTheBetterCopy(t *testing.T) {
	t.Parallel()
	with := func(status state.Status, change func(*state.Record)) state.Record {
		r := record("A", status)
		if change != nil {
			change(&r)
		}
		return r
	}
	end := func(d time.Duration) func(*state.Record) {
		return func(r *state.Record) { r.Ended = noon.Add(d) }
	}
	for name, c := range map[string]struct{ better, worse state.Record }{
		"interrupted over running":    {with(state.Interrupted, nil), with(state.Running, nil)},
		"failed over interrupted":     {with(state.Failed, nil), with(state.Interrupted, nil)},
		"succeeded over failed":       {with(state.Succeeded, nil), with(state.Failed, nil)},
		"destroyed over succeeded":    {with(state.Destroyed, nil), with(state.Succeeded, nil)},
		"status over a later end":     {with(state.Succeeded, end(0)), with(state.Failed, end(time.Hour))},
		"later end":                   {with(state.Failed, end(time.Hour)), with(state.Failed, end(time.Minute))},
		"an end over none":            {with(state.Failed, end(0)), with(state.Failed, nil)},
		"known status over unknown":   {with(state.Running, nil), with("", nil)},
		"greater bytes":               {with(state.Failed, func(r *state.Record) { r.App = "z" }), with(state.Failed, func(r *state.Record) { r.App = "a" })},
		"greater bytes, later field":  {with(state.Failed, func(r *state.Record) { r.Unknown = `"x":2` }), with(state.Failed, func(r *state.Record) { r.Unknown = `"x":1` })},
		"what can be written at all":  {with(state.Failed, nil), with(state.Failed, func(r *state.Record) { r.Config = json.RawMessage(`{`) })},
		"a later end in another zone": {with(state.Failed, func(r *state.Record) { r.Ended = noon.In(time.FixedZone("", 3600)) }), with(state.Failed, end(-time.Minute))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := []state.Record{c.better}
			if diff := cmp.Diff(want, state.Merge([]state.Record{c.better}, []state.Record{c.worse})); diff != "" {
				t.Errorf("better copy first (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, state.Merge([]state.Record{c.worse, c.better})); diff != "" {
				t.Errorf("worse copy first, in one list (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMergeLaws checks on random copies that the order and grouping of merges
// make no difference, which is what makes lost races harmless.
func TestMergeLaws(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		a, b, c := randomCopies(random), randomCopies(random), randomCopies(random)
		all := state.Merge(a, b, c)
		for law, got := range map[string][]state.Record{
			"commutative":     state.Merge(c, a, b),
			"associative":     state.Merge(state.Merge(a, b), c),
			"associative too": state.Merge(a, state.Merge(c, b)),
			"idempotent":      state.Merge(all, all, b),
		} {
			if diff := cmp.Diff(all, got); diff != "" {
				t.Fatalf("merging is not %s (-want +got):\n%s", law, diff)
			}
		}
	}
}

// randomCopies returns a few records that differ in little, so that ties and
// near ties are common.
func randomCopies(random *rand.Rand) []state.Record {
	statuses := []state.Status{state.Running, state.Interrupted, state.Failed, state.Succeeded, state.Destroyed}
	var records []state.Record
	for range random.IntN(6) {
		r := record(string(rune('A'+random.IntN(3))), statuses[random.IntN(len(statuses))])
		if random.IntN(2) == 0 {
			r.Ended = noon.Add(time.Duration(random.IntN(2)) * time.Second)
		}
		if random.IntN(2) == 0 {
			r.Unknown = `"x":` + string(rune('0'+random.IntN(2)))
		}
		r.Sequence = random.IntN(3)
		r.Started = noon.Add(time.Duration(random.IntN(2)) * time.Second)
		records = append(records, r)
	}
	return records
}
