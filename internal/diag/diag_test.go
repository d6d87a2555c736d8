package diag_test

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"

	"github.com/deploy-action/deploy-action/internal/diag"
)

const native = `replicas = -1
env = { FOO = "x" }
probe {
  path = "/"
}
auth {
  user = "u"
}
auth {
  password = "p"
}
`

const inJSON = `{
  "replicas": -1,
  "auth": {"password": "p"}
}`

func body(t *testing.T) hcl.Body {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(native), "waypoint.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return file.Body
}

// fallback is where problems without a better place go.
var fallback = hcl.Range{Filename: "waypoint.hcl", Start: hcl.Pos{Line: 99, Column: 1}, End: hcl.Pos{Line: 99, Column: 2}}

// shown is a diagnostic as these tests compare it.
type shown struct{ At, Summary, Detail string }

func show(diags hcl.Diagnostics) []shown {
	var all []shown
	for _, d := range diags {
		at := ""
		if d.Subject != nil {
			at = d.Subject.String()
		}
		all = append(all, shown{at, d.Summary, d.Detail})
	}
	return all
}

func TestLocateFindsTheAttribute(t *testing.T) {
	t.Parallel()
	for attr, want := range map[string]string{
		"replicas":      "waypoint.hcl:1,12-14",
		"env":           "waypoint.hcl:2,7-20",
		"env.FOO":       "waypoint.hcl:2,7-20", // the expression that has it
		"probe":         "waypoint.hcl:3,1-6",
		"probe.path":    "waypoint.hcl:4,10-13",
		"probe.port":    "waypoint.hcl:3,1-6", // what it is missing from
		"auth.password": "waypoint.hcl:10,14-17",
		"auth":          "waypoint.hcl:6,1-5",
		"auth.token":    "waypoint.hcl:6,1-5",
		"absent":        "waypoint.hcl:99,1-2",
		"":              "waypoint.hcl:99,1-2",
	} {
		t.Run(attr, func(t *testing.T) {
			t.Parallel()
			got := show(diag.Locate(&diag.Problem{Summary: "S", Detail: "D.", Attr: attr}, body(t), fallback))
			if diff := cmp.Diff([]shown{{want, "S", "D."}}, got); diff != "" {
				t.Errorf("Locate (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLocateInJSON(t *testing.T) {
	t.Parallel()
	file, diags := json.Parse([]byte(inJSON), "waypoint.hcl.json")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for attr, want := range map[string]string{
		"replicas":      "waypoint.hcl.json:2,15-17",
		"auth.password": "waypoint.hcl.json:3,24-27",
		"absent":        "waypoint.hcl:99,1-2",
	} {
		got := show(diag.Locate(&diag.Problem{Summary: "S", Attr: attr}, file.Body, fallback))
		if diff := cmp.Diff([]shown{{want, "S", ""}}, got); diff != "" {
			t.Errorf("Locate(%q) (-want +got):\n%s", attr, diff)
		}
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
	const at = "waypoint.hcl:99,1-2"
	replicas := &diag.Problem{Summary: "Negative count", Detail: "Use 0 or more.", Attr: "replicas"}
	refused := &diag.Problem{Summary: "Login refused", Detail: "Check the password.", Err: errors.New("401.")}
	own := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Own", Detail: "range.", Subject: &hcl.Range{Filename: "x", Start: hcl.InitialPos, End: hcl.InitialPos}}
	errBusy := errors.New("busy")

	for name, c := range map[string]struct {
		err  error
		want []shown
	}{
		"nil":           {nil, nil},
		"plain error":   {errBusy, []shown{{at, "busy", ""}}},
		"wrapped error": {fmt.Errorf("pushing: %w", fs.ErrNotExist), []shown{{at, "pushing", "file does not exist"}}},
		"full disk": {
			fmt.Errorf("saving %q: %w", "x", syscall.ENOSPC),
			[]shown{{at, "No room on the disk", "saving \"x\": no space left on device.\n\nMake room there, then run the same command again."}},
		},
		"problem with a question": {
			&diag.Problem{Summary: "S", Err: errors.New("busy?")},
			[]shown{{at, "S", "Cause: busy?"}},
		},
		"problem with cause": {refused, []shown{{at, "Login refused", "Check the password.\n\nCause: 401."}}},
		"wrapped problem": {
			fmt.Errorf("pushing %q: %w", "web", refused),
			[]shown{{at, "Login refused", "Check the password.\n\nCause: 401.\n\nWhile pushing \"web\"."}},
		},
		"problem around a join": {
			&diag.Problem{Summary: "S", Err: errors.Join(errBusy, errBusy)},
			[]shown{{at, "S", "Cause: busy\nbusy."}},
		},
		"joined": {
			errors.Join(replicas, errBusy),
			[]shown{{"waypoint.hcl:1,12-14", "Negative count", "Use 0 or more."}, {at, "busy", ""}},
		},
		"wrapped join": {
			fmt.Errorf("opening: %w", errors.Join(replicas, errBusy)),
			[]shown{{"waypoint.hcl:1,12-14", "Negative count", "Use 0 or more.\n\nWhile opening."}, {at, "opening", "busy"}},
		},
		"join of one": {errors.Join(replicas), []shown{{"waypoint.hcl:1,12-14", "Negative count", "Use 0 or more."}}},
		"join in a join": {
			errors.Join(errBusy, errors.Join(errBusy, replicas)),
			[]shown{{at, "busy", ""}, {at, "busy", ""}, {"waypoint.hcl:1,12-14", "Negative count", "Use 0 or more."}},
		},
		"one error with two causes":   {fmt.Errorf("reading: %w: %w", errBusy, fs.ErrNotExist), []shown{{at, "reading", "busy: file does not exist"}}},
		"two causes, one a problem":   {fmt.Errorf("%w: %w", errBusy, replicas), []shown{{"waypoint.hcl:1,12-14", "Negative count", "Use 0 or more.\n\nWhile busy."}}},
		"diagnostics":                 {hcl.Diagnostics{own, own}, []shown{{"x:1,1-1", "Own", "range."}, {"x:1,1-1", "Own", "range."}}},
		"wrapped diagnostics":         {fmt.Errorf("decoding: %w", hcl.Diagnostics{own}), []shown{{"x:1,1-1", "Own", "range."}}},
		"one diagnostic":              {own, []shown{{"x:1,1-1", "Own", "range."}}},
		"diagnostics inside a join":   {errors.Join(hcl.Diagnostics{own}, errBusy), []shown{{"x:1,1-1", "Own", "range."}, {at, "busy", ""}}},
		"several lines in plain text": {errors.New("a: b\nc: d"), []shown{{at, "a", "b\nc: d"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, show(diag.Locate(c.err, body(t), fallback))); diff != "" {
				t.Errorf("Locate (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLocateNowhere is for verbs that run from the record alone.
func TestLocateNowhere(t *testing.T) {
	t.Parallel()
	got := diag.Locate(&diag.Problem{Summary: "S", Attr: "a"}, nil, hcl.Range{})
	if len(got) != 1 || got[0].Subject != nil {
		t.Errorf("Locate = %v, want one diagnostic without a place", got)
	}
}

func TestProblemIsAnError(t *testing.T) {
	t.Parallel()
	p := &diag.Problem{Summary: "No such folder", Detail: "D.", Err: fs.ErrNotExist}
	if got, want := p.Error(), "No such folder: file does not exist"; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
	if !errors.Is(fmt.Errorf("x: %w", p), fs.ErrNotExist) {
		t.Error("the cause cannot be found")
	}
	if got := (&diag.Problem{Summary: "Alone"}).Error(); got != "Alone" {
		t.Errorf("Error without cause = %q, want the summary", got)
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	candidates := []string{"build", "deploy", "release", "registry", "use", "hook", "größe"}
	for name, want := range map[string]string{
		"biuld":     "build",
		"deplyo":    "deploy",
		"relase":    "release",
		"regsitrry": "registry",
		"Use":       "use",
		"uses":      "use",
		"hok":       "hook",
		"grosse":    "",
		"grösse":    "größe",
		"grüße":     "größe",
		"plan":      "",
		"x":         "",
		"":          "",
		"bd":        "",
		"éé":        "",
	} {
		if got := diag.Nearest(name, candidates); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
	if got, want := diag.Suggest("biuld", candidates), ` Did you mean "build"?`; got != want {
		t.Errorf("Suggest = %q, want %q", got, want)
	}
	if got := diag.Suggest("plan", candidates); got != "" {
		t.Errorf("Suggest = %q, want nothing", got)
	}
	if got := diag.Nearest("ab", nil); got != "" {
		t.Errorf("Nearest of nothing = %q, want nothing", got)
	}
}
