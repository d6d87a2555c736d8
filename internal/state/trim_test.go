package state_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/state"
)

// line makes a record of words: operation, sequence, status, and what it points
// to as parent=ID or deployment=ID. Its ID is the first two, as in deploy3.
func line(at int, words string) state.Record {
	r := record("", "")
	var pointers string
	fmt.Sscan(words, &r.Operation, &r.Sequence, &r.Status, &pointers)
	r.ID = fmt.Sprintf("%s%d", r.Operation, r.Sequence)
	r.Started = noon.Add(time.Duration(at) * time.Minute)
	for pointer := range strings.SplitSeq(pointers, ",") {
		name, id, _ := strings.Cut(pointer, "=")
		switch name {
		case "parent":
			r.Parent = id
		case "deployment":
			r.Deployment = id
		}
	}
	return r
}

// lines makes records of lines, oldest first, and returns them newest first.
func lines(text string) []state.Record {
	var records []state.Record
	for words := range strings.Lines(strings.TrimSpace(text)) {
		records = append(records, line(len(records), words))
	}
	return state.Merge(records)
}

func idsOf(records []state.Record) []string {
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestTrim(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		newest  int
		records string
		gone    []string
	}{
		"nothing where all are among the newest": {2, "deploy 1 destroyed deployment=a\ndeploy 2 destroyed deployment=b", nil},
		"destroyed deployments": {1, `
			deploy 1 destroyed deployment=a
			deploy 2 succeeded deployment=b
			deploy 3 failed    deployment=c
			deploy 4 running   deployment=d
			deploy 5 interrupted deployment=e
			deploy 6 succeeded deployment=f`, []string{"deploy1"}},
		"no attempt at a deployment before the others": {1, `
			deploy 1 destroyed deployment=a
			deploy 2 failed    deployment=a
			deploy 3 destroyed deployment=b
			deploy 4 destroyed deployment=b
			deploy 5 succeeded deployment=c`, []string{"deploy3", "deploy4"}},
		"builds and pushes that nothing points to": {1, `
			build 1 succeeded
			build 2 failed
			build 3 succeeded
			push 1 succeeded parent=build3
			deploy 1 succeeded deployment=a,parent=push1
			build 4 running
			push 2 succeeded parent=build2
			build 5 succeeded
			push 3 succeeded parent=build5`, []string{"build1", "build2", "push2"}},
		"releases of what is destroyed, once a later one succeeded": {1, `
			deploy 1 destroyed deployment=a
			deploy 2 succeeded deployment=b
			release 1 succeeded deployment=a
			release 2 failed deployment=a
			release 3 succeeded deployment=b
			release 4 running deployment=a
			release 5 succeeded deployment=b
			release 6 failed deployment=b`, []string{"release1", "release2"}},
		"no release that may serve": {1, `
			deploy 1 destroyed deployment=a
			release 1 succeeded deployment=a
			release 2 failed deployment=a
			release 3 failed deployment=a`, nil},
		"what a kept release points to stays": {2, `
			build 1 succeeded
			push 1 succeeded parent=build1
			deploy 1 destroyed deployment=a,parent=push1
			release 1 succeeded deployment=a,parent=deploy1
			build 2 succeeded
			push 2 succeeded parent=build2
			deploy 2 destroyed deployment=b,parent=push2
			build 3 succeeded
			push 3 succeeded parent=build3
			deploy 3 succeeded deployment=c,parent=push3
			deploy 4 succeeded deployment=d,parent=push3
			build 4 succeeded
			push 4 succeeded parent=build4
			release 2 succeeded deployment=d,parent=deploy4`, []string{"build2", "deploy2", "push2"}},
		"no highest sequence": {0, "push 2 failed\npush 1 failed", []string{"push1"}},
		"no newest success":   {1, "push 1 succeeded\npush 2 succeeded\npush 3 failed\npush 4 failed", []string{"push1", "push3"}},
		"holds that were lifted": {1, `
			hold 1 destroyed
			hold 2 succeeded
			hold 3 destroyed
			hold 4 destroyed`, []string{"hold1", "hold3"}},
		"nothing of an operation that is not known": {1, "scale 1 destroyed\nscale 2 destroyed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := lines(c.records)
			kept, trimmed := state.Trim(records, state.Policy{Newest: c.newest})
			gone := slices.DeleteFunc(idsOf(records), func(id string) bool { return slices.Contains(idsOf(kept), id) })
			if !slices.Equal(gone, c.gone) {
				t.Errorf("Trim took out %v, want %v", gone, c.gone)
			}
			for _, r := range records {
				if trimmed.Has(r) != slices.Contains(c.gone, r.ID) {
					t.Errorf("the ranges have %s: %v", r.ID, trimmed.Has(r))
				}
			}
			if again, more := state.Trim(kept, state.Policy{Newest: c.newest}); len(more) > 0 || len(again) != len(kept) {
				t.Errorf("a second Trim left %v", idsOf(again))
			}
		})
	}
}

func TestTrimCountsEachWorkspaceAndAppByItself(t *testing.T) {
	t.Parallel()
	var records []state.Record
	for i, place := range []struct{ app, workspace string }{{"web", "a"}, {"web", "b"}, {"api", "a"}} {
		r := record(fmt.Sprint(i), state.Destroyed)
		r.App, r.Workspace, r.Deployment = place.app, place.workspace, "d"
		records = append(records, r)
	}
	if kept, trimmed := state.Trim(state.Merge(records), state.Policy{Newest: 1}); len(kept) != 3 || trimmed != nil {
		t.Errorf("Trim kept %v and trimmed %v, want all three kept", idsOf(kept), trimmed)
	}
}

// TestTrimmedStaysGone checks on random states that no older copy brings back
// what was trimmed, and that nothing else is lost: neither what the copy was
// missing, nor a record of another run that has the sequence of a trimmed one.
func TestTrimmedStaysGone(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11)) // fixed, for two IDs share a mark once in a million
	trimmedAny := 0
	for range 100 {
		all := state.Merge(randomState(random, "A"))
		kept, trimmed := state.Trim(all, state.Policy{Newest: random.IntN(4)})
		trimmedAny += len(all) - len(kept)

		older := olderCopy(random, all)
		if diff := cmp.Diff(kept, trimmed.Merge(kept, older)); diff != "" {
			t.Fatalf("merging an older copy changed what was trimmed (-want +got):\n%s", diff)
		}
		others := state.Merge(randomState(random, "B"))
		want := state.Merge(kept, others)
		if diff := cmp.Diff(want, trimmed.Merge(older, others, kept)); diff != "" {
			t.Fatalf("merging another run's records lost some (-want +got):\n%s", diff)
		}
		// Two stores that trimmed on their own agree when they meet.
		keptThere, trimmedThere := state.Trim(want, state.Policy{Newest: 1})
		here, there := trimmed.Union(trimmedThere), trimmedThere.Union(trimmed)
		if diff := cmp.Diff(here, there); diff != "" {
			t.Fatalf("the order of a union matters (-one +other):\n%s", diff)
		}
		if diff := cmp.Diff(here.Merge(kept, keptThere), there.Merge(keptThere, older, kept)); diff != "" {
			t.Fatalf("the order of merging matters (-one +other):\n%s", diff)
		}
	}
	if trimmedAny < 300 {
		t.Errorf("only %d records were trimmed in all, too few to mean anything", trimmedAny)
	}
}

// randomState returns records with sequences that collide, as they may where the
// lock is off.
func randomState(random *rand.Rand, prefix string) []state.Record {
	statuses := []state.Status{state.Running, state.Interrupted, state.Failed, state.Succeeded, state.Destroyed, state.Destroyed, state.Destroyed}
	operations := []string{"build", "push", "deploy", "deploy", "release", "hold"}
	var records []state.Record
	for i := range random.IntN(80) {
		r := record(fmt.Sprintf("%s%03d", prefix, i), statuses[random.IntN(len(statuses))])
		r.Operation = operations[random.IntN(len(operations))]
		r.App = []string{"web", "api"}[random.IntN(2)]
		r.Sequence = random.IntN(8)
		r.Started = noon.Add(time.Duration(i) * time.Second)
		if r.Operation == "deploy" || r.Operation == "release" {
			r.Deployment = fmt.Sprintf("%s-d%d", prefix, random.IntN(10))
		}
		if i > 0 && random.IntN(3) > 0 {
			r.Parent = fmt.Sprintf("%s%03d", prefix, random.IntN(i))
		}
		records = append(records, r)
	}
	return records
}

// olderCopy returns what an earlier upload may have held of records: some of
// them, and none further along.
func olderCopy(random *rand.Rand, records []state.Record) []state.Record {
	var copied []state.Record
	for _, r := range records {
		if random.IntN(4) == 0 {
			continue
		}
		if r.Status == state.Destroyed {
			r.Status = []state.Status{state.Running, state.Failed, state.Succeeded, state.Destroyed}[random.IntN(4)]
		}
		copied = append(copied, r)
	}
	return copied
}

func TestRangesSurviveAFile(t *testing.T) {
	t.Parallel()
	kept, trimmed := state.Trim(ups(300), state.Retention)
	header, records, err := state.Decode(bytes.NewReader(encode(t, state.Header{Trimmed: trimmed}, kept)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(trimmed, header.Trimmed); diff != "" {
		t.Errorf("the ranges changed (-want +got):\n%s", diff)
	}
	if len(trimmed) != 4 {
		t.Errorf("%d ranges, want one for each operation", len(trimmed))
	}
	if len(records) != len(kept) || len(records) >= 4*300 {
		t.Errorf("%d records are left, want the %d that Trim kept", len(records), len(kept))
	}
}

func TestRangesOfANewerVersionDoNotBreak(t *testing.T) {
	t.Parallel()
	odd := state.Ranges{{First: -5, Marks: "ABC"}, {First: 1 << 62, Marks: "ABCDE"}}
	r := record("A", state.Succeeded)
	if odd.Has(r) || odd.Has(state.Record{}) {
		t.Error("ranges with half a mark have a record")
	}
	if got := odd.Union(odd[:1]); len(got) != 1 || got[0].Marks != "ABCD" {
		t.Errorf("Union = %v, want the one whole mark", got)
	}
}

// TestFileStaysSmall measures what 500 deployments of one app take.
func TestFileStaysSmall(t *testing.T) {
	t.Parallel()
	kept, trimmed := state.Trim(ups(500), state.Retention)
	if size := len(encode(t, state.Header{Trimmed: trimmed}, kept)); size > 40_000 {
		t.Errorf("the file has %d bytes, want 40,000 at most", size)
	} else {
		t.Logf("%d records in %d bytes", len(kept), size)
	}
}
