package runstore

import (
	"strings"
	"testing"
)

func TestNamesAreInjective(t *testing.T) {
	t.Parallel()
	keys := []key{
		{"p", "web", "w"},
		{"p", "web.w", ""},
		{"p", "web", "w.2"},
		{"p", "web", "w~2e2"},
		{"p.web", "w", ""},
		{"p", "web/w", "w"},
		{"p", "wéb", "w"},
		{"p", "w*b", "w"},
		{"", "", ""},
	}
	for i, a := range keys {
		if strings.ContainsAny(a.name(2), "\":<>|*?\r\n\\/ %") {
			t.Errorf("name of %+v = %q has characters that are not allowed or need escaping", a, a.name(2))
		}
		for j, b := range keys {
			for _, number := range []int{1, 2, 30} {
				if got := a.names(b.name(number)); got != (i == j) {
					t.Errorf("%+v names %q: %v, want %v", a, b.name(number), got, i == j)
				}
			}
		}
	}
}

func TestNamesWithSuffix(t *testing.T) {
	t.Parallel()
	k := key{"p", "web", "w"}
	for name, want := range map[string]bool{
		"deploy-action.p.web.w":     true,
		"deploy-action.p.web.w.2":   true,
		"deploy-action.p.web.w.1":   false,
		"deploy-action.p.web.w.":    false,
		"deploy-action.p.web.w.x":   false,
		"deploy-action.p.web.ww":    false,
		"deploy-action.p.web.w.2.3": false,
		"deploy-action.p.web":       false,
	} {
		if got := k.names(name); got != want {
			t.Errorf("names(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 300)
	keys := map[key]string{
		{"shop", "web", "production"}: "refs/deploy-action/shop/web/production",
		{"lock", "web", "w"}:          "refs/deploy-action/=lock/web/w",
		{"=lock", "web", "w"}:         "refs/deploy-action/=3dlock/web/w",
		{"a/b", "..", "x.lock"}:       "refs/deploy-action/a=2fb/=2e=2e/x=2elock",
		{"", "", ""}:                  "refs/deploy-action/=/=/=",
		{long, "web", "w"}:            "",
		{long + "é", "web", "w"}:      "",
	}
	seen := map[string]key{}
	for k, want := range keys {
		got := k.ref()
		if want != "" && got != want {
			t.Errorf("ref of %+v = %q, want %q", k, got, want)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%+v and %+v have one ref", k, other)
		}
		seen[got] = k
		if parts := strings.Split(got, "/"); len(parts) != 5 || parts[2] == "lock" || len(got) > 300 {
			t.Errorf("ref of %+v = %q, want five short parts, none of them the folder of locks", k, got)
		}
	}
}
