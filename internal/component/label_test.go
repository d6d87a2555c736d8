package component_test

import (
	"regexp"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
)

func TestLabel(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		name  string
		limit int
		want  string
	}{
		"as it is":                  {"web", 19, "web"},
		"upper case":                {"WebAPI", 19, "webapi"},
		"other characters":          {"my_app.v2", 19, "my-app-v2"},
		"one dash for one letter":   {"größe", 19, "gr--e"},
		"a digit first":             {"2048", 19, "x2048"},
		"dashes around":             {"--web--", 19, "web"},
		"cut":                       {"payments-service-eu", 8, "payments"},
		"cut at a dash":             {"payments-service", 9, "payments"},
		"nothing left":              {"___", 19, "x"},
		"empty":                     {"", 19, "x"},
		"a digit behind a dash":     {"-9lives", 19, "x9lives"},
		"no room for more than one": {"web", 1, "w"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := component.Label(c.name, c.limit); got != c.want {
				t.Errorf("Label(%q, %d) = %q, want %q", c.name, c.limit, got, c.want)
			}
		})
	}
}

func FuzzLabel(f *testing.F) {
	f.Add("web", 19)
	f.Add("9-Ä_", 2)
	valid := regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	f.Fuzz(func(t *testing.T, name string, limit int) {
		limit = 1 + max(limit, -limit, 0)%63
		got := component.Label(name, limit)
		if !valid.MatchString(got) || len(got) > limit {
			t.Errorf("Label(%q, %d) = %q, which is no label of that length", name, limit, got)
		}
	})
}
