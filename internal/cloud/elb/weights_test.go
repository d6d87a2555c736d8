package elb

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShifted(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		before  []share
		group   string
		percent int
		want    []share
	}{
		"first":            {nil, "a", 10, []share{{"a", 100}}},
		"canary":           {[]share{{"a", 100}}, "b", 10, []share{{"b", 10}, {"a", 90}}},
		"same again":       {[]share{{"b", 10}, {"a", 90}}, "b", 10, []share{{"b", 10}, {"a", 90}}},
		"all":              {[]share{{"b", 10}, {"a", 90}}, "b", 100, []share{{"b", 100}, {"a", 0}}},
		"back":             {[]share{{"b", 10}, {"a", 90}}, "a", 100, []share{{"a", 100}, {"b", 0}}},
		"weights of one":   {[]share{{"a", 1}, {"c", 1}}, "b", 20, []share{{"b", 20}, {"a", 40}, {"c", 40}}},
		"rounding":         {[]share{{"a", 1}, {"c", 1}, {"d", 1}}, "b", 20, []share{{"b", 20}, {"a", 28}, {"c", 26}, {"d", 26}}},
		"oldest go":        {[]share{{"e", 100}, {"d", 0}, {"c", 0}, {"b", 0}, {"a", 0}}, "f", 50, []share{{"f", 50}, {"e", 50}, {"d", 0}, {"c", 0}, {"b", 0}}},
		"nothing else has": {[]share{{"a", 0}, {"b", 0}}, "b", 10, []share{{"b", 100}, {"a", 0}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, shifted(c.before, c.group, c.percent), cmp.AllowUnexported(share{})); diff != "" {
				t.Errorf("shifted(%v, %q, %d) (-want +got):\n%s", c.before, c.group, c.percent, diff)
			}
		})
	}
}

func TestAttached(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ before, want []share }{
		"alone":           {nil, []share{{"b", 100}}},
		"beside one":      {[]share{{"a", 100}}, []share{{"b", 0}, {"a", 100}}},
		"known":           {[]share{{"a", 10}, {"b", 90}}, []share{{"a", 10}, {"b", 90}}},
		"nothing has any": {[]share{{"a", 0}}, []share{{"b", 100}, {"a", 0}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, attached(c.before, "b"), cmp.AllowUnexported(share{})); diff != "" {
				t.Errorf("attached(%v) (-want +got):\n%s", c.before, diff)
			}
		})
	}
}
