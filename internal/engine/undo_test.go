package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/engine"
)

// undone is the file with rollback = "auto" in both blocks, and a smoke test.
var undone = strings.Replace(strings.Replace(file, "deploy {", "deploy {\n    rollback = \"auto\"", 1), "\n}\n", `
  release {
    rollback = "auto"
    hook {
      when    = "before"
      command = ["announce"]
    }
    hook {
      when    = "after"
      command = ["smoke test"]
    }
  }
}
`, 1)

func TestWhatFailsIsPutBack(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		inPlace bool
		failing string
		want    []string // calls after the one that failed
		serving string
		printed string
	}{
		"a deploy beside the released one": {
			failing: "deploy sha256:one", serving: "release 1",
			printed: "Nothing is put back: users are served by deployment",
		},
		"a deploy in place": {
			inPlace: true, failing: "deploy sha256:one",
			want:    []string{"restore 1", "hook announce", "release 3", "hook smoke test"},
			serving: "release 2", printed: "which was released before, is put back",
		},
		"a release": {
			failing: "release 2", want: []string{"hook announce", "release 1", "hook smoke test"},
			serving: "release 3", printed: "is put back",
		},
		"a test after a release": {
			failing: "hook smoke test", want: []string{"hook announce", "release 1", "hook smoke test"},
			serving: "release 3", printed: "is put back",
		},
		"a hook before a release": {
			failing: "hook announce", serving: "release 1", printed: "Nothing is put back",
		},
		"a hook before a release of what is in place": {
			inPlace: true, failing: "hook announce",
			want:    []string{"restore 1", "hook announce", "release 3", "hook smoke test"},
			serving: "release 3", printed: "is put back",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.inPlace = c.inPlace
			mustUp(t, w)
			w.log = nil
			w.fail = once(c.failing, errors.New("it is broken"))
			e := w.engine(t, undone)
			told := &teller{}
			e.Reporter = told
			results, err := e.Up(t.Context(), defaults)
			if err == nil || !strings.Contains(err.Error(), "it is broken") {
				t.Fatalf("Up = %v, want the failure", err)
			}
			after := w.log[slices.Index(w.log, c.failing)+1:]
			if !slices.Equal(after, c.want) {
				t.Errorf("calls after the failure = %q, want %q", after, c.want)
			}
			if s := results[0].Failure.Serving; !strings.HasPrefix(s, c.serving+", of deployment") {
				t.Errorf("Serving = %q, want %q", s, c.serving)
			}
			if !slices.ContainsFunc(w.printed, func(line string) bool { return strings.Contains(line, c.printed) }) {
				t.Errorf("printed %q, want %q", w.printed, c.printed)
			}
			ended := slices.DeleteFunc(told.told, func(report string) bool { return strings.HasSuffix(report, "running") })
			first := slices.IndexFunc(ended, func(report string) bool { return strings.HasSuffix(report, "failed") })
			if first < 0 || c.printed == "is put back" && ended[len(ended)-1] != "release succeeded" {
				t.Errorf("reports = %q, want the failure, and after it what was put back", ended)
			}
		})
	}
}

func TestWhatIsPutBackIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inPlace = true
	mustUp(t, w)
	w.fail = once("deploy sha256:one", errors.New("it is broken"))
	results, _ := w.engine(t, undone).Up(t.Context(), defaults)
	want := []string{
		"build 1 succeeded", "push 1 succeeded", "deploy 1 succeeded", "release 1 succeeded",
		"build 2 succeeded", "push 2 succeeded", "deploy 2 failed", "deploy 3 succeeded", "release 2 succeeded",
	}
	if diff := cmp.Diff(want, w.records(t)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if f := results[0].Failure; f.Stage != "deploy" || f.Left != "" || len(f.Logs) != 1 {
		t.Errorf("Failure = %+v, want that of the first deploy, with nothing left", f)
	}
	if last := results[0].Records[len(results[0].Records)-1]; last.Message != "put back after a failure" {
		t.Errorf("message of the last record = %q", last.Message)
	}
	if _, err := w.engine(t, file).Rollback(t.Context(), defaults); err != nil {
		t.Errorf("Rollback afterwards = %v", err)
	}
}

func TestWhatCannotBePutBackIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	w.fail = func(call string) error {
		if strings.HasPrefix(call, "release") {
			return errors.New(call + " is refused")
		}
		return nil
	}
	_, err := w.engine(t, undone).Up(t.Context(), defaults)
	failure, ok := errors.AsType[*engine.Failure](err)
	if !ok || failure.Stage != "release" || len(failure.Diags) != 2 ||
		!strings.Contains(failure.Diags[0].Error(), "release 2 is refused") || !strings.Contains(failure.Diags[1].Error(), "release 1 is refused") {
		t.Errorf("Up = %v, want the cause, and then what could not be put back", err)
	}
	if failure.Next != "mend the cause and run `rollback`" {
		t.Errorf("Next = %q", failure.Next)
	}
}

func TestWhatServesWhenPuttingBackFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	w.fail = func(call string) error {
		if call == "hook smoke test" || call == "release 1" {
			return errors.New("it is broken")
		}
		return nil
	}
	results, _ := w.engine(t, undone).Up(t.Context(), defaults)
	if s := results[0].Failure.Serving; !strings.HasPrefix(s, "release 2, of deployment") || !strings.Contains(s, "or else release 1") {
		t.Errorf("Serving = %q, want what failed its test, or else the one before", s)
	}
}

func TestNothingIsPutBack(t *testing.T) {
	t.Parallel()
	t.Run("when cancelled", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		mustUp(t, w)
		ctx, cancel := context.WithCancel(t.Context())
		w.fail = func(call string) error {
			if call == "release 2" {
				cancel()
			}
			return nil
		}
		results, err := w.engine(t, undone).Up(ctx, defaults)
		if !errors.Is(err, context.Canceled) || w.log[len(w.log)-1] != "release 2" {
			t.Errorf("Up = %v after %v, want that nothing follows", err, w.log)
		}
		if s := results[0].Failure.Serving; !strings.Contains(s, "release 2") || !strings.Contains(s, "release 1") {
			t.Errorf("Serving = %q, want both that may serve", s)
		}
	})
	t.Run("when it is not asked for", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		mustUp(t, w)
		w.fail = failOn("release 2", errors.New("no route"))
		if _, err := w.engine(t, file).Up(t.Context(), defaults); err == nil || w.log[len(w.log)-1] != "release 2" {
			t.Errorf("Up = %v after %v, want that nothing follows", err, w.log)
		}
	})
	t.Run("when there was no release", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.fail = failOn("release 1", errors.New("no route"))
		if _, err := w.engine(t, undone).Up(t.Context(), defaults); err == nil || w.log[len(w.log)-1] != "release 1" {
			t.Errorf("Up = %v after %v, want that nothing follows", err, w.log)
		}
		if want := "Nothing is put back: nothing was released before."; !slices.Contains(w.printed, want) {
			t.Errorf("printed %q, want %q", w.printed, want)
		}
	})
}

func TestTheCauseIsToldWherePuttingBackIsCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	announced := 0
	w.fail = func(call string) error {
		switch call {
		case "hook announce":
			if announced++; announced == 2 {
				cancel()
			}
		case "release 2":
			return errors.New("the real cause")
		}
		return nil
	}
	results, _ := w.engine(t, undone).Up(ctx, defaults)
	f := results[0].Failure
	if len(f.Diags) != 2 || f.Diags[0].Summary != "Interrupted" || f.Diags[1].Summary != "the real cause" {
		t.Errorf("Diags = %v, want that it was interrupted, and the cause before", f.Diags)
	}
	if !strings.HasPrefix(f.Serving, "release 1, of deployment") || strings.Contains(f.Serving, "or else") {
		t.Errorf("Serving = %q, want the one deployment that both releases are of", f.Serving)
	}
}

func TestWhatIsLeftBehind(t *testing.T) {
	t.Parallel()
	source := strings.Replace(undone, "rollback = \"auto\"", `
    hook {
      when    = "after"
      command = ["check"]
    }`, 1)
	source = strings.Replace(source, "rollback = \"auto\"", "", 1)
	const unreleased, looked = ", which is not released; `release` does that", ", for you to look at; `prune`"
	cases := map[string]struct{ failing, want string }{
		"by a deploy":                {"deploy sha256:one", looked},
		"by a hook after a deploy":   {"hook check", looked},
		"by a hook before a release": {"hook announce", unreleased},
		"by a release":               {"release 2", unreleased},
		"nothing, by a build":        {"build", ""},
		"nothing, by a hook after a release, for it may serve": {"hook smoke test", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			mustUp(t, w)
			w.fail = failOn(c.failing, errors.New("it is broken"))
			results, _ := w.engine(t, source).Up(t.Context(), defaults)
			left := results[0].Failure.Left
			if c.want == "" && left != "" || c.want != "" && (!strings.HasPrefix(left, "deployment 2 (") || !strings.Contains(left, c.want)) {
				t.Errorf("Left = %q, want %q", left, c.want)
			}
		})
	}
	t.Run("by a release that was put back", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		mustUp(t, w)
		w.fail = failOn("release 2", errors.New("it is broken"))
		results, _ := w.engine(t, undone).Up(t.Context(), defaults)
		if left := results[0].Failure.Left; !strings.HasPrefix(left, "deployment 2 (") {
			t.Errorf("Left = %q, want the deployment that is not released", left)
		}
	})
}
