package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// keyed is a plugin whose platform and releaser are configured, and note with
// what they were opened.
func keyed(w *world) component.Plugin {
	type config struct {
		Region string      `hcl:"region"`
		Key    secret.Text `hcl:"key,optional"`
		ID     string      `hcl:"id,optional"`
	}
	note := func(what string, c config) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.opened = append(w.opened, strings.TrimSpace(fmt.Sprintf("%s %s %s", what, c.Region, c.Key.Reveal())))
		w.told = c.ID
	}
	return component.Plugin{
		Name: "keyed",
		Platform: component.NewPlatform(func(_ component.Host, c config) (component.Platform[artifact.Image, deployment], error) {
			note("platform", c)
			return platform{w}, nil
		}),
		Releaser: component.NewReleaser(func(_ component.Host, c config) (component.Releaser[deployment, release], error) {
			note("releaser", c)
			return releaser{w}, nil
		}),
	}
}

// safe is a source of values, which notes what it is asked.
func safe(w *world) component.Plugin {
	return component.Plugin{
		Name:    "safe",
		Sourcer: component.NewSourcer(func(component.Host, struct{}) (component.Sourcer, error) { return source{w}, nil }),
	}
}

type source struct{ w *world }

func (s source) Read(_ context.Context, keys []component.Key) ([]component.Reading, error) {
	var readings []component.Reading
	for _, key := range keys {
		if err := s.w.call("ask " + key.Params["name"]); err != nil {
			return nil, err
		}
		readings = append(readings, component.Reading{Text: secret.Text("the " + key.Params["name"])})
	}
	return readings, nil
}

func (source) Close(context.Context) error { return nil }

// recordedFile is a file whose platform has its key, and the app a setting, from
// a source.
const recordedFile = `
project = "shop"

variable "key" {
  type      = string
  sensitive = true
  default   = dynamic("safe", { name = "key" })
}

app "web" {
  config {
    env = { PASSWORD = dynamic("safe", { name = "password" }) }
  }
  build {
    use "world" {}
  }
  deploy {
    use "keyed" {
      region = "north"
      key    = var.key
      id     = entrypoint.env.WAYPOINT_DEPLOYMENT_ID
    }
  }
  release {
    use "keyed" {
      region = "south"
    }
    hook {
      when    = "after"
      command = ["smoke test"]
    }
  }
}
`

// without returns the file without one of its parts: from its first line to its
// last.
func without(t *testing.T, source, first, last string) string {
	t.Helper()
	before, rest, found := strings.Cut(source, first)
	_, after, ended := strings.Cut(rest, last)
	if !found || !ended {
		t.Fatalf("no %q … %q in the file", first, last)
	}
	return before + after
}

// TestGoingBackNeedsOnlyWhatItUses shows what rolling back to the release before
// does with a file that changed since.
func TestGoingBackNeedsOnlyWhatItUses(t *testing.T) {
	t.Parallel()
	noRelease := without(t, recordedFile, "  release {", "\n  }\n")
	cases := map[string]struct {
		source string
		want   []string // calls
		opened []string
	}{
		"all is there":     {recordedFile, []string{"release 1", "hook smoke test"}, []string{"platform north", "releaser south"}},
		"the app is gone":  {"project = \"shop\"\napp \"mail\" {\nbuild {\nuse \"world\" {}\n}\ndeploy {\nuse \"world\" {}\n}\n}\n", []string{"release 1"}, []string{"platform north", "releaser south"}},
		"release is gone":  {noRelease, []string{"release 1"}, []string{"platform north", "releaser south"}},
		"another platform": {strings.Replace(noRelease, `use "keyed" {`, `use "world" {`, 1), []string{"release 1"}, []string{"platform north", "releaser south"}},
		"the app has a problem": {
			strings.Replace(recordedFile, "config {", "path = \"/elsewhere\"\nconfig {", 1),
			[]string{"release 1"},
			[]string{"platform north", "releaser south"},
		},
		"the block has a problem": {
			strings.Replace(recordedFile, `region = "south"`, `regoin = "south"`, 1),
			[]string{"release 1", "hook smoke test"},
			[]string{"platform north", "releaser south"},
		},
		"another stage has a problem": {
			strings.Replace(recordedFile, `use "world"`, `use "wrld"`, 1),
			[]string{"release 1", "hook smoke test"},
			[]string{"platform north", "releaser south"},
		},
		"the block is new, and needs a source": {
			strings.Replace(recordedFile, `region = "south"`, "region = \"west\"\nkey = var.key", 1),
			[]string{"ask key", "release 1", "hook smoke test"},
			[]string{"platform north", "releaser west the key"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := deployedTwice(t)
			if _, err := w.engine(t, c.source, keyed(w), safe(w)).Rollback(t.Context(), engine.Options{Apps: []string{"web"}}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, w.log); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if opened := slices.Compact(w.opened); !slices.Equal(opened, c.opened) {
				t.Errorf("opened = %q, want %q", opened, c.opened)
			}
		})
	}
}

// deployedTwice is a world with two releases of the dynamic file.
func deployedTwice(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	for range 2 {
		if _, err := w.engine(t, recordedFile, keyed(w), safe(w)).Up(t.Context(), defaults); err != nil {
			t.Fatal(err)
		}
	}
	w.log, w.opened = nil, nil
	return w
}

func TestGoingBackWhereTheSourceIsSilent(t *testing.T) {
	t.Parallel()
	w := deployedTwice(t)
	w.fail = failOn("ask key", errors.New("sealed"))
	e := w.engine(t, strings.Replace(recordedFile, `region = "south"`, "region = \"west\"\nkey = var.key", 1), keyed(w), safe(w))
	if _, err := e.Rollback(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.opened, []string{"platform north", "releaser south"}) {
		t.Errorf("opened = %q, want what the records say", w.opened)
	}
	if len(w.problems) != 1 || !strings.Contains(w.problems[0].Error(), "sealed") || w.problems[0].Severity != hcl.DiagWarning {
		t.Errorf("problems = %v, want one warning", w.problems)
	}
}

func TestADeploymentIsMadeAgain(t *testing.T) {
	t.Parallel()
	open := strings.Replace(recordedFile, "      key    = var.key\n", "", 1) // nothing in its block is a secret
	cases := map[string]struct {
		before  string // the file that was deployed
		source  string
		want    []string // calls
		opened  string   // the platform
		problem string   // that is shown
	}{
		"with its settings": {
			before: recordedFile, source: recordedFile, opened: "platform north the key",
			want: []string{"ask key", "ask password", "deploy sha256:one with the password", "release 4", "hook smoke test"},
		},
		"as it is recorded, where its block has a problem": {
			before: open, source: strings.Replace(open, `region = "north"`, `regoin = "north"`, 1), opened: "platform north",
			want:    []string{"ask password", "deploy sha256:one with the password", "release 4", "hook smoke test"},
			problem: "regoin",
		},
		"as it is recorded, where its app is gone": {
			before: open, source: "project = \"shop\"\n", opened: "platform north",
			want:    []string{"deploy sha256:one", "release 4"},
			problem: `App "web" is deployed again without settings`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := withAPruned(t, c.before)
			_, err := w.engine(t, c.source, keyed(w), safe(w)).Rollback(t.Context(), engine.Options{Apps: []string{"web"}, Deployment: "1"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, w.log); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if !slices.Contains(w.opened, c.opened) {
				t.Errorf("opened = %q, want %q", w.opened, c.opened)
			}
			if c.problem == "" && len(w.problems) > 0 || !strings.Contains(w.problems.Error(), c.problem) {
				t.Errorf("problems = %v, want %q", w.problems, c.problem)
			}
		})
	}
}

// withAPruned is a world in which deployment 1 of a file is gone.
func withAPruned(t *testing.T, source string) *world {
	t.Helper()
	w := newWorld(t)
	for range 3 {
		if _, err := w.engine(t, source, keyed(w), safe(w)).Up(t.Context(), defaults); err != nil {
			t.Fatal(err)
		}
	}
	w.log, w.opened = nil, nil
	return w
}

func TestADeploymentIsNotMadeAgainWithoutItsSettings(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		source, want string
		fail         func(string) error
	}{
		"the app has a problem": {strings.Replace(recordedFile, "config {", "path = \"/elsewhere\"\nconfig {", 1), "outside of the project", nil},
		"the source is silent":  {recordedFile, "sealed", failOn("ask password", errors.New("sealed"))},
		"the answer is of no use": {
			strings.Replace(recordedFile, `dynamic("safe", { name = "password" })`, `jsondecode(dynamic("safe", { name = "password" })).password`, 1),
			"jsondecode", nil,
		},
		"the block with its secrets is gone": {
			strings.Replace(without(t, recordedFile, "  release {", "\n  }\n"), `use "keyed" {`, `use "world" {`, 1),
			`its record holds no secrets: it would lack "key". Put the deploy block with use "keyed" back`, nil,
		},
		"the block with its secrets has a problem": {
			strings.Replace(recordedFile, `region = "north"`, `regoin = "north"`, 1), `it would lack "key"`, nil,
		},
		"the app with its secrets is gone": {"project = \"shop\"\n", `it would lack "key"`, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := withAPruned(t, recordedFile)
			w.fail = c.fail
			_, err := w.engine(t, c.source, keyed(w), safe(w)).Rollback(t.Context(), engine.Options{Apps: []string{"web"}, Deployment: "1"})
			if _, ok := errors.AsType[*engine.InvalidError](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Rollback = %v, want a problem that says %q", err, c.want)
			}
			if slices.ContainsFunc(w.log, func(call string) bool { return strings.HasPrefix(call, "deploy") }) {
				t.Errorf("calls = %q, want no deploy", w.log)
			}
		})
	}
}

func TestWhatCannotBeRestoredIsDeployedWithItsSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inPlace = true
	for range 2 {
		if _, err := w.engine(t, recordedFile, keyed(w), safe(w)).Up(t.Context(), defaults); err != nil {
			t.Fatal(err)
		}
	}
	w.log, w.fail = nil, failOn("restore 1", errors.ErrUnsupported)
	if _, err := w.engine(t, recordedFile, keyed(w), safe(w)).Rollback(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	want := []string{"ask key", "restore 1", "ask password", "deploy sha256:one with the password", "release 3", "hook smoke test"}
	if diff := cmp.Diff(want, w.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestADeploymentIsReleasedByItsOwnPlatform(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"where the app is gone":         "project = \"shop\"\n",
		"where the platform is another": without(t, strings.Replace(recordedFile, "var.key", "\"\"", 1), "  release {", "\n  }\n"),
	}
	for name, source := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if _, err := w.engine(t, file).Build(t.Context(), defaults); err != nil {
				t.Fatal(err)
			}
			if _, err := w.engine(t, file).Deploy(t.Context(), engine.Options{NoRelease: true}); err != nil {
				t.Fatal(err)
			}
			w.log = nil
			if _, err := w.engine(t, source, keyed(w), safe(w)).Release(t.Context(), engine.Options{Apps: []string{"web"}, Retain: -1}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(w.log, []string{"release 1"}) || w.traffic == "" || len(w.opened) != 0 {
				t.Errorf("calls = %q, opened = %q, want that the world releases its own", w.log, w.opened)
			}
		})
	}
}

func TestReleaseOfWhatIsRecorded(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		source  string
		want    []string // calls
		problem string
	}{
		"all is there":    {recordedFile, []string{"release 1", "hook smoke test"}, ""},
		"the app is gone": {"project = \"shop\"\n", []string{"release 1"}, ""},
		"another stage has a problem": {
			strings.Replace(recordedFile, `region = "north"`, `regoin = "north"`, 1),
			[]string{"release 1", "hook smoke test"},
			"",
		},
		"its block has a problem": {
			strings.Replace(recordedFile, `region = "south"`, `regoin = "south"`, 1), nil, `Did you mean "region"?`,
		},
		"the app has a problem": {
			strings.Replace(recordedFile, "config {", "path = \"/elsewhere\"\nconfig {", 1), nil, "outside of the project",
		},
		"its plugin is unknown": {
			strings.Replace(recordedFile, "release {\n    use \"keyed\"", "release {\n    use \"kyed\"", 1), nil, `Unknown plugin "kyed"`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := deployedTwice(t)
			_, err := w.engine(t, c.source, keyed(w), safe(w)).Release(t.Context(), engine.Options{Apps: []string{"web"}, Deployment: "1", Retain: -1})
			if c.problem == "" && err != nil {
				t.Error(err)
			}
			if _, invalid := errors.AsType[*engine.InvalidError](err); c.problem != "" && (!invalid || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("Release = %v, want %q", err, c.problem)
			}
			if !slices.Equal(w.log, c.want) {
				t.Errorf("calls = %q, want %q", w.log, c.want)
			}
		})
	}
}

func TestADeployKnowsItsID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(t, without(t, recordedFile, "  release {", "\n  }\n"), keyed(w), safe(w))
	results, err := e.Up(t.Context(), defaults)
	if err != nil || w.told == "" || w.told != results[0].Deployment {
		t.Errorf("the platform was told %q, want the ID of %+v, %v", w.told, results, err)
	}
}

func TestVerbsOnRecordsAskOnlyForTheBlocks(t *testing.T) {
	t.Parallel()
	verbs := map[string]func(context.Context, *engine.Engine) error{
		"destroy": func(ctx context.Context, e *engine.Engine) error { _, err := e.Destroy(ctx, defaults); return err },
		"prune": func(ctx context.Context, e *engine.Engine) error {
			_, err := e.Prune(ctx, engine.Options{})
			return err
		},
		"status": func(ctx context.Context, e *engine.Engine) error { _, err := e.Status(ctx, defaults); return err },
		"logs": func(ctx context.Context, e *engine.Engine) error {
			return e.Logs(ctx, defaults, component.LogRequest{}, func(string, component.LogLine) {})
		},
	}
	for name, verb := range verbs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := deployedTwice(t)
			if err := verb(t.Context(), w.engine(t, recordedFile, keyed(w), safe(w))); err != nil {
				t.Fatal(err)
			}
			if w.log[0] != "ask key" || slices.Contains(w.log, "ask password") {
				t.Errorf("calls = %q, want that the source is asked for the key alone", w.log)
			}
			if !slices.Contains(w.opened, "platform north the key") {
				t.Errorf("opened = %q, want the platform with its key", w.opened)
			}

			w = deployedTwice(t)
			w.fail = failOn("ask key", errors.New("sealed"))
			if err := verb(t.Context(), w.engine(t, recordedFile, keyed(w), safe(w))); err != nil {
				t.Errorf("with a source that is silent: %v", err)
			}
			if len(w.problems) != 1 || !slices.Contains(w.opened, "platform north") {
				t.Errorf("problems = %v, opened = %q, want one warning and the platform of the record", w.problems, w.opened)
			}
		})
	}
	t.Run("nothing is recorded", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		if _, err := w.engine(t, recordedFile, keyed(w), safe(w)).Status(t.Context(), defaults); err != nil || len(w.log) != 0 {
			t.Errorf("Status = %v after %v, want that nothing is asked", err, w.log)
		}
	})
}

func TestADeploymentIsMadeAgainByItsOwnPlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		mustUp(t, w)
	}
	w.log = nil
	other := keyed(w)
	other.DefaultRelease = true
	source := strings.Replace(file, "deploy {\n    use \"world\" {}", "deploy {\n    use \"keyed\" {\n      region = \"north\"\n    }", 1)
	if _, err := w.engine(t, source, other).Rollback(t.Context(), engine.Options{Deployment: "1"}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.log, []string{"deploy sha256:one", "release 4"}) || len(w.opened) != 0 {
		t.Errorf("calls = %q, opened = %q, want the platform and the releaser of the record", w.log, w.opened)
	}
}
