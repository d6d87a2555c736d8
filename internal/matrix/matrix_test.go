package matrix_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/matrix"
)

func TestTouched(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		folder string
		watch  []string
		files  []string
		want   string
	}{
		"below its folder":           {"apps/web", nil, []string{"apps/api/x", "apps/web/src/main.go"}, "apps/web/src/main.go"},
		"beside its folder":          {"apps/web", nil, []string{"apps/webshop/main.go", "apps/web.go"}, ""},
		"the whole repository":       {".", nil, []string{".github/x.yml"}, ".github/x.yml"},
		"watched":                    {"apps/web", []string{"src/**/*.go", "go.mod"}, []string{"apps/web/src/a/b.go"}, "apps/web/src/a/b.go"},
		"in its folder, not watched": {"apps/web", []string{"src/**/*.go"}, []string{"apps/web/README.md"}, ""},
		"watched outside":            {"apps/web", []string{"**", "../../lib/**"}, []string{"lib/log/log.go"}, "lib/log/log.go"},
		"a watched folder":           {"apps/web", []string{"src"}, []string{"apps/web/src/a/b"}, "apps/web/src/a/b"},
		"alternatives":               {".", []string{"{a,b}/*"}, []string{"c/x", "b/x"}, "b/x"},
		"nothing":                    {".", nil, nil, ""},
	} {
		app := matrix.App{Name: "web", Folder: test.folder, Watch: test.watch}
		if got := app.Touched(test.files); got != test.want {
			t.Errorf("%s: Touched(%q) = %q, want %q", name, test.files, got, test.want)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	apps := func(text string) (list []matrix.App) {
		for word := range strings.FieldsSeq(text) {
			name, after, _ := strings.Cut(word, "<")
			app := matrix.App{Name: name}
			if after != "" {
				app.DependsOn = strings.Split(after, ",")
			}
			list = append(list, app)
		}
		return list
	}
	for name, test := range map[string]struct{ apps, changed, want string }{
		"as in the file":            {"c a b", "abc", "c0 a0 b0"},
		"after what it depends on":  {"a<b b<c c", "abc", "c0 b1 a2"},
		"the longest way counts":    {"a<b,c b<c c", "abc", "c0 b1 a2"},
		"through one that is still": {"a<b b<c c", "ac", "c0 a1"},
		"dependencies are not made": {"a<b b", "a", "a0"},
		"two that share one":        {"a<c b<c c", "abc", "c0 a1 b1"},
		"not in the list":           {"a<z", "a", "a0"},
		"none":                      {"a b", "", ""},
	} {
		entries, err := matrix.Order(apps(test.apps), "staging", func(name string) bool { return strings.Contains(test.changed, name) })
		var got []string
		for _, e := range entries {
			got = append(got, fmt.Sprintf("%s%d", e.App, e.Level))
		}
		if strings.Join(got, " ") != test.want || err != nil {
			t.Errorf("%s: Order() = %q, %v; want %q", name, got, err, test.want)
		}
	}
	_, err := matrix.Order(apps("x<a a<b b<a"), "staging", func(string) bool { return true })
	if want := "apps depend on one another in a circle: a → b → a"; err == nil || err.Error() != want {
		t.Errorf("Order() of a circle = %v, want %q", err, want)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	entries := []matrix.Entry{{"lib", "production", 0}, {"web", "production", 1}}
	for want, value := range map[string]any{
		`{"include":[]}`: matrix.Of[matrix.Entry](nil),
		`{"include":[{"app":"lib","workspace":"production","level":0},{"app":"web","workspace":"production","level":1}]}`:                 matrix.Of(entries),
		`[{"include":[{"app":"lib","workspace":"production","level":0}]},{"include":[{"app":"web","workspace":"production","level":1}]}]`: matrix.Levels(entries),
		`[]`:                        matrix.Levels(nil),
		`{"include":[{"group":3}]}`: matrix.Of([]matrix.Group{{3}}),
	} {
		got, err := json.Marshal(value)
		if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	var entries []matrix.Entry
	for i := range 600 {
		entries = append(entries, matrix.Entry{App: fmt.Sprintf("app-%03d", i)})
	}
	var sizes []int
	next := 0
	for _, group := range matrix.Groups(entries) {
		sizes = append(sizes, len(group))
		for _, e := range group {
			if want := fmt.Sprintf("app-%03d", next); e.App != want {
				t.Fatalf("%s comes where %s should", e.App, want)
			}
			next++
		}
	}
	if diff := cmp.Diff([]int{256, 256, 88}, sizes); diff != "" {
		t.Errorf("sizes of groups (-want +got):\n%s", diff)
	}
	if got := matrix.Groups(nil); len(got) != 0 {
		t.Errorf("Groups(nil) = %v, want none", got)
	}
}
