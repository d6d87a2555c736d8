package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/engine"
)

// several is a file with apps that depend on one another: each is a name and
// what it depends on.
func several(apps ...string) string {
	source := []string{"project = \"shop\"\n"}
	for _, app := range apps {
		name, needs, _ := strings.Cut(app, " ")
		source = append(source, fmt.Sprintf("app %q {\n", name))
		if needs != "" {
			source = append(source, fmt.Sprintf("depends_on = [\"%s\"]\n", strings.ReplaceAll(needs, " ", `", "`)))
		}
		source = append(source, "build {\nuse \"world\" {}\n}\ndeploy {\nuse \"world\" {}\n}\n}\n")
	}
	return strings.Join(source, "")
}

func apps(results []engine.Result) []string {
	var names []string
	for _, r := range results {
		names = append(names, r.App+" "+string(r.Outcome))
	}
	return names
}

func TestAppsRunAfterThoseThatTheyDependOn(t *testing.T) {
	t.Parallel()
	source := several("web api", "mail", "api db", "db")
	cases := map[string]struct{ chosen, want []string }{
		"all":                         {nil, []string{"db changed", "api changed", "web changed", "mail changed"}},
		"around one that is not":      {[]string{"web", "db"}, []string{"db changed", "web changed"}},
		"one alone pulls in no other": {[]string{"web"}, []string{"web changed"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			results, err := w.engine(t, source).Up(t.Context(), engine.Options{Apps: c.chosen, Retain: -1})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, apps(results)); diff != "" {
				t.Errorf("Up (-want +got):\n%s", diff)
			}
			results, err = w.engine(t, source).Destroy(t.Context(), engine.Options{Apps: c.chosen})
			if err != nil {
				t.Fatal(err)
			}
			slices.Reverse(c.want)
			if diff := cmp.Diff(c.want, apps(results)); diff != "" {
				t.Errorf("Destroy (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatDependsOnAFailedAppIsSkipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail = once("release 1", errors.New("no route")) // that of db, which is the first
	results, err := w.engine(t, several("web api", "api db", "db", "mail")).Up(t.Context(), defaults)
	if err == nil {
		t.Error("Up succeeded, want a failure")
	}
	if diff := cmp.Diff([]string{"db changed", "api skipped", "web skipped", "mail changed"}, apps(results)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if results[0].Failure == nil || results[1].Failure != nil || results[3].Failure != nil {
		t.Errorf("results = %+v, want that db alone failed", results)
	}
	if want := `App "web" is skipped: it depends on "db", which failed.`; !slices.Contains(w.printed, want) {
		t.Errorf("printed %q, want %q among it", w.printed, want)
	}
}

func TestACircleOfAppsIsAProblem(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ chosen []string }{
		"all":                       {nil},
		"one outside of the circle": {[]string{"shop"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			err := w.engine(t, several("shop web", "web api", "api web", "mail")).Validate(t.Context(), engine.Options{Apps: c.chosen})
			invalid, ok := errors.AsType[*engine.InvalidError](err)
			if !ok || len(invalid.Diags) != 1 {
				t.Fatalf("Validate = %v, want one problem", err)
			}
			d := invalid.Diags[0]
			if !strings.Contains(d.Detail, "web → api → web") || d.Subject == nil || d.Subject.Start.Line != 11 {
				t.Errorf("problem = %v at %v, want the circle, at the app web", d, d.Subject)
			}
		})
	}
	t.Run("elsewhere", func(t *testing.T) {
		t.Parallel()
		err := newWorld(t).engine(t, several("web api", "api web", "mail")).Validate(t.Context(), engine.Options{Apps: []string{"mail"}})
		if err != nil {
			t.Errorf("Validate of an app outside of the circle = %v", err)
		}
	})
}

// once fails the first call of that name.
func once(name string, err error) func(string) error {
	failed := false
	return func(call string) error {
		if call != name || failed {
			return nil
		}
		failed = true
		return err
	}
}

func TestWhatAFailedAppDependsOnIsNotDestroyed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := several("web api", "api db", "db", "mail")
	if _, err := w.engine(t, source).Up(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	failing := 2
	w.fail = func(call string) error { // those of mail, which is the first, and of web
		if call != "destroy release" || failing == 0 {
			return nil
		}
		failing--
		return errors.New("busy")
	}
	results, err := w.engine(t, source).Destroy(t.Context(), defaults)
	if err == nil {
		t.Error("Destroy succeeded, want a failure")
	}
	if diff := cmp.Diff([]string{"mail changed", "web changed", "api skipped", "db skipped"}, apps(results)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if want := `App "db" is skipped: "web", which failed, depends on it.`; !slices.Contains(w.printed, want) {
		t.Errorf("printed %q, want %q among it", w.printed, want)
	}
}

func TestRollbackOfAllAppsIsOfThoseThatCan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := several("web db", "db")
	if _, err := w.engine(t, source).Up(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	_, err := w.engine(t, source).Rollback(t.Context(), defaults)
	if err == nil || strings.Count(err.Error(), "has no earlier release to go back to") != 1 {
		t.Errorf("Rollback = %v, want a refusal, for there is nothing to go back to at all", err)
	}
	if _, err := w.engine(t, source).Up(t.Context(), engine.Options{Apps: []string{"web"}, Retain: -1}); err != nil {
		t.Fatal(err)
	}
	w.log = nil
	results, err := w.engine(t, source).Rollback(t.Context(), defaults)
	if err != nil || !slices.Equal(w.log, []string{"release 1"}) {
		t.Errorf("Rollback = %v after %q, want that web goes back", err, w.log)
	}
	if diff := cmp.Diff([]string{"db unchanged", "web changed"}, apps(results)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if want := `App "db" stays as it is: it has no earlier release to go back to.`; !slices.Contains(w.printed, want) {
		t.Errorf("printed %q, want %q among it", w.printed, want)
	}
	if _, err := w.engine(t, source).Rollback(t.Context(), engine.Options{Apps: []string{"db"}}); err == nil {
		t.Error("Rollback of db alone succeeded, want a refusal")
	}
}
