package claim_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestPostStepKnows has the post step give the lock back without looking for it.
func TestPostStepKnows(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		j := newJob(t, fake, 1).may(permissions...)
		lock(t, j.step(t))
		before := len(fake.Calls())
		release(t, j.step(t))
		if all, changing := writes(fake, before); all != 2 || changing != 2 {
			t.Errorf("the post step took %d requests, %d of them writes, want 2 and 2", all, changing)
		}
		lock(t, newJob(t, fake, 2).may(permissions...).step(t))
	})
}

// TestForgedNotes has another program of the job write down where the lock of
// another run is: the post step must not give that back.
func TestForgedNotes(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(theirs, ours string) string{
		"theirs": func(theirs, _ string) string { return theirs },
		"theirs with our seal": func(theirs, ours string) string {
			from, _, _ := strings.Cut(theirs, `"seal"`)
			_, seal, _ := strings.Cut(ours, `"seal"`)
			return from + `"seal"` + seal
		},
		"theirs without a seal": func(theirs, _ string) string {
			from, _, _ := strings.Cut(theirs, `,"seal"`)
			return from + "}\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
				last := func(j job) string {
					content, err := os.ReadFile(filepath.Join(j.folder, "locks"))
					if err != nil {
						t.Fatal(err)
					}
					lines := strings.SplitAfter(strings.TrimSuffix(string(content), "\n"), "\n")
					return lines[len(lines)-1]
				}
				ours := newJob(t, fake, 1).may(permissions...)
				lock(t, ours.step(t))
				noted := last(ours)
				release(t, ours.step(t))
				other := newJob(t, fake, 2).may(permissions...)
				lock(t, other.step(t))

				content := forge(last(other), noted)
				if !strings.Contains(content, "production") {
					t.Fatalf("forged %q", content)
				}
				if err := os.WriteFile(filepath.Join(ours.folder, "locks"), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				release(t, ours.step(t))
				if h, alive, found := holder(t, newJob(t, fake, 9).may(permissions...).step(t)); !found || !alive || h.Run != 2 {
					t.Errorf("Holder() = %+v, alive %t, found %t, want run 2", h, alive, found)
				}
			})
		})
	}
}
