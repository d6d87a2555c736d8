package app

import (
	"slices"
	"strings"
	"testing"
)

func TestDoubleDashes(t *testing.T) {
	t.Parallel()
	known := func(name string) bool { return slices.Contains([]string{"app", "var", "workspace"}, name) }
	for args, want := range map[string]string{
		"up -app web":             "up --app web",
		"up -app=web -var a=-var": "up --app=web --var a=-var",
		"up --app web -w x":       "up --app web -w x",
		"up -apps web":            "up -apps web",
		"exec web -- ls -app":     "exec web -- ls -app",
		"up - -a web":             "up - -a web",
	} {
		if got := strings.Join(doubleDashes(strings.Fields(args), known), " "); got != want {
			t.Errorf("doubleDashes(%q) = %q, want %q", args, got, want)
		}
	}
}
