package app_test

import (
	"slices"
	"strings"
	"testing"
)

// With all artifacts lost one command goes back to the release before: it is
// known by the Deployments' payloads, their statuses, and the platform's labels.
func TestRollbackWithoutArtifacts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*fleet){
		"to what is there":    func(*fleet) {},
		"to what was removed": func(f *fleet) { delete(f.berths, f.deployments()[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			f.succeeds(t, "up")
			f.succeeds(t, "up")
			f.lose()
			change(f)
			log := f.succeeds(t, "rollback")
			if got := f.serving(); got != image(1) {
				t.Errorf("users get %s, want the first image\n%s", got, log)
			}
			if !strings.Contains(log, "found again by 2 Deployments") {
				t.Errorf("the loss is not told:\n%s", log)
			}
			// What was found is recorded now: the next run works as ever.
			if log := f.succeeds(t, "up"); strings.Contains(log, "found again") || f.serving() != image(3) {
				t.Errorf("after up users get %s\n%s", f.serving(), log)
			}
			f.succeeds(t, "rollback")
			if got := f.serving(); got != image(1) {
				t.Errorf("users get %s after the second rollback, want the first image", got)
			}
			f.succeeds(t, "destroy")
			if len(f.berths)+len(f.traffic) > 0 {
				t.Errorf("after destroy there are %v, %v", f.berths, f.traffic)
			}
		})
	}
}

// Destroy works from what the Deployments tell and the platform shows.
func TestDestroyWithoutArtifacts(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.succeeds(t, "up")
	f.succeeds(t, "up")
	f.lose()
	log := f.succeeds(t, "destroy")
	if len(f.berths)+len(f.traffic) > 0 {
		t.Errorf("after destroy there are %v and traffic to %v\n%s", f.berths, f.traffic, log)
	}
	f.lose()
	if status, log := f.run(t, "rollback"); status != 2 || !strings.Contains(log, "no earlier release") {
		t.Errorf("rollback after destroy: exit status %d\n%s", status, log)
	}
}

// Where a platform cannot be asked, nobody knows what is left: up goes on and
// prunes nothing, prune and destroy refuse and say what to do.
func TestIncompleteState(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.succeeds(t, "up")
	f.succeeds(t, "up")
	f.lose()
	f.mute = true
	before := f.deployments()
	for _, verb := range []string{"prune", "destroy"} {
		status, log := f.run(t, verb)
		if status != 2 {
			t.Errorf("%s: exit status %d, want 2\n%s", verb, status, log)
		}
		for _, words := range []string{`The state of app "web" in workspace "default" is incomplete`, before[0], before[1], "cannot be asked what it holds", "state recover --gone ID"} {
			if !strings.Contains(log, words) {
				t.Errorf("%s: no %q in:\n%s", verb, words, log)
			}
		}
	}
	if !slices.Equal(f.deployments(), before) {
		t.Fatalf("there are %v, want %v: something was destroyed", f.deployments(), before)
	}
	for range 3 {
		if log := f.succeeds(t, "up"); !strings.Contains(log, "Nothing of app \"web\" is pruned") {
			t.Errorf("up does not say that it prunes nothing:\n%s", log)
		}
	}
	if len(f.deployments()) != 5 {
		t.Errorf("there are %v, want all five", f.deployments())
	}
	f.mute = false // it was an outage
	f.succeeds(t, "prune")
	if got := f.deployments(); len(got) != 2 || f.serving() != image(5) {
		t.Errorf("after prune there are %v, and users get %s", got, f.serving())
	}
	f.succeeds(t, "destroy")
	if len(f.berths) > 0 {
		t.Errorf("after destroy there are %v", f.berths)
	}
}
