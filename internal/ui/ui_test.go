package ui_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/ui"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var errTest = errors.New("exit status 2")

const source = `project = "hello"

app "web" {
  deploy {
    use "local" {
      replcas = var.count
    }
  }
}
`

// scenes are runs as a user would see them. Each is shown in every mode.
var scenes = map[string]func(*scene){
	"up": func(s *scene) {
		end := s.ui.Group("web: build")
		_ = s.ui.Step(s.ctx, "Run the hook before build", func(_ context.Context, step component.Step) error {
			fmt.Fprint(step.Output(), "compiling a\ncompiling b\n")
			time.Sleep(2400 * time.Millisecond)
			s.look()
			return nil
		})
		_ = s.ui.Step(s.ctx, "Build the image", func(ctx context.Context, _ component.Step) error {
			return s.ui.Step(ctx, "Copy the files", func(context.Context, component.Step) error { return nil })
		})
		end()
		end = s.ui.Group("web: deploy")
		_ = s.ui.Step(s.ctx, "Wait until the new version serves", func(_ context.Context, step component.Step) error {
			for i := range 3 {
				step.Update("%d of 2 instances ready", i)
				time.Sleep(6 * time.Second)
				s.look()
			}
			return nil
		})
		end()
		s.ui.Print("https://web.example.com")
	},
	"failure": func(s *scene) {
		end := s.ui.Group("web: build")
		err := s.ui.Step(s.ctx, "Compile", func(_ context.Context, step component.Step) error {
			for i := range 50 {
				fmt.Fprintf(step.Output(), "line %d\r\n", i+1)
			}
			step.Update("linking")
			fmt.Fprint(step.Output(), "::error::forged\n##[error]forged\n10%\r20%\r\x1b[2Jundefined: \x1b[31mfoo\x1b[0m")
			time.Sleep(time.Second)
			s.look()
			return errTest
		})
		s.ui.Diagnostics(hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Hook failed",
			Detail:   "The command \"make\" ended with " + err.Error() + ".",
			Subject:  &hcl.Range{Filename: "waypoint.hcl", Start: hcl.Pos{Line: 6, Column: 7, Byte: 75}, End: hcl.Pos{Line: 6, Column: 14, Byte: 82}},
		}})
		end()
		_ = s.ui.Step(s.ctx, "Save the record", func(context.Context, component.Step) error { return nil })
	},
	"diagnostics": func(s *scene) {
		s.ui.Diagnostics(s.diagnose())
		s.ui.Print("1 problem")
	},
	"plan": func(s *scene) {
		s.ui.Plan("web", component.Plan{Changes: []component.Change{
			{Action: component.Create, Subject: "deployment/web-x7k2", Reason: "new version"},
			{Action: component.Update, Subject: "service/web", Reason: "image changes", Diff: "@@ -1 +1 @@\n-image: a\n+image: b\n"},
			{Action: component.Replace, Subject: "job/migrate"},
			{Action: component.Delete, Subject: "configmap/old"},
			{Action: component.Create, Subject: "route/web"},
			{Action: component.Keep, Subject: "namespace/web"},
		}})
		s.ui.Plan("docs", component.Plan{Changes: []component.Change{{Action: component.Keep, Subject: "service/docs"}}})
		s.ui.Plan("jobs", component.Plan{})
	},
	"secrets": func(s *scene) {
		s.ui.Group("token correct-horse")
		_ = s.ui.Step(s.ctx, "Sign in with correct-horse", func(_ context.Context, step component.Step) error {
			out := step.Output()
			fmt.Fprint(out, "password: correct-")
			fmt.Fprint(out, "horse\n")
			fmt.Fprint(out, "and \x1b[1mcorrect-\x1b[Khorse\n")
			step.Update("using correct-horse")
			s.look()
			return errTest
		})
		s.ui.Print("correct-%s", "horse")
		s.ui.Plan("web", component.Plan{Changes: []component.Change{{Action: component.Create, Subject: "correct-horse", Diff: "+correct-horse"}}})
		s.ui.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "Found correct-horse", Detail: "It is correct-horse."}})
		s.ui.Logger().Debug("correct-horse", "with", "correct-horse")
		s.ui.Summary("correct-horse")
	},
	"concurrent": func(s *scene) {
		var wait sync.WaitGroup
		for i, name := range []string{"first", "second", "third"} {
			wait.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond) // the order in which they begin
				_ = s.ui.Step(s.ctx, name, func(_ context.Context, step component.Step) error {
					for n := range 2 {
						fmt.Fprintf(step.Output(), "%s says %d\n", name, n)
						time.Sleep(time.Duration(4-i) * time.Second)
					}
					if name == "second" {
						return errTest
					}
					return nil
				})
			})
		}
		time.Sleep(5 * time.Second)
		s.look()
		s.ui.Print("printed while all but the third run")
		wait.Wait()
	},
}

// modes are the ways to show a scene.
var modes = map[string]ui.Options{
	"plain":  {},
	"debug":  {Debug: true},
	"live":   {Live: true, Width: 60},
	"color":  {Color: true, Width: 60},
	"runner": {Runner: &workflow.Runner{}}, // replaced by one for the scene
}

func TestScenes(t *testing.T) {
	t.Parallel()
	for name, play := range scenes {
		for mode, options := range modes {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := newScene(t, options)
					play(s)
					s.golden(filepath.Join("testdata", name+"."+mode+".golden"))
				})
			})
		}
	}
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// scene is one run in one mode.
type scene struct {
	t      *testing.T
	ctx    context.Context
	ui     *ui.UI
	out    *buffer
	live   bool
	marks  strings.Builder // what the screen showed when the scene looked
	looked int
	parser map[string]*hcl.File
}

func newScene(t *testing.T, o ui.Options) *scene {
	s := &scene{t: t, ctx: t.Context(), out: &buffer{}, live: o.Live, parser: map[string]*hcl.File{}}
	o.Out = s.out
	o.Secrets = &secret.Set{}
	o.Secrets.Add("correct-horse")
	o.Files = func() map[string]*hcl.File { return s.parser }
	file, diags := hclsyntax.ParseConfig([]byte(source), "waypoint.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s.parser["waypoint.hcl"] = file
	if o.Runner != nil {
		environ := map[string]string{
			"GITHUB_ACTIONS":      "true",
			"GITHUB_STEP_SUMMARY": filepath.Join(t.TempDir(), "summary"),
		}
		o.Runner = workflow.New(func(name string) string { return environ[name] }, s.out)
	}
	s.ui = ui.New(o)
	return s
}

// diagnose evaluates the attribute of the source whose name is wrong.
func (s *scene) diagnose() hcl.Diagnostics {
	body := s.parser["waypoint.hcl"].Body.(*hclsyntax.Body).Blocks[0].Body.Blocks[0].Body.Blocks[0].Body
	attribute := body.Attributes["replcas"]
	return hcl.Diagnostics{
		{
			Severity: hcl.DiagError,
			Summary:  "Unsupported argument",
			Detail:   "An argument named \"replcas\" is not expected here. Did you mean \"replicas\"?\n\nIt counts instances.",
			Subject:  &attribute.NameRange,
		},
		{
			Severity:   hcl.DiagWarning,
			Summary:    "Odd value",
			Detail:     "The value is odd.",
			Subject:    attribute.Expr.Range().Ptr(),
			Expression: attribute.Expr,
			EvalContext: &hcl.EvalContext{Variables: map[string]cty.Value{
				"var": cty.ObjectVal(map[string]cty.Value{"count": cty.StringVal("three")}),
			}},
		},
		{
			Severity:   hcl.DiagError,
			Summary:    "A secret in the wrong place",
			Expression: attribute.Expr,
			EvalContext: &hcl.EvalContext{Variables: map[string]cty.Value{
				"var": cty.ObjectVal(map[string]cty.Value{"count": cty.StringVal("hush-hush").Mark("sensitive")}),
			}},
		},
	}
}

// look notes what a terminal shows at this moment.
func (s *scene) look() {
	if !s.live {
		return
	}
	synctest.Wait() // the frame that is due now is drawn
	s.looked++
	fmt.Fprintf(&s.marks, "--- screen %d\n%s", s.looked, screen(s.out.String()))
}

func (s *scene) golden(path string) {
	s.t.Helper()
	synctest.Wait()
	got := s.out.String()
	if s.live {
		got = s.marks.String() + "--- at the end\n" + screen(got)
	}
	for _, word := range []string{"horse", "hush"} {
		if strings.Contains(got, word) {
			s.t.Errorf("the log contains %q:\n%s", word, got)
		}
	}
	got = strings.ReplaceAll(got, "\x1b", "␛")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// screen is a terminal that knows the few sequences a UI sends: up, clear to
// the end, wrapping on and off.
func screen(stream string) string {
	stream = strings.NewReplacer("\x1b[?7l", "", "\x1b[?7h", "", "\r", "").Replace(stream)
	lines := []string{""}
	for stream != "" {
		before, sequence, found := strings.Cut(stream, "\x1b[")
		parts := strings.Split(before, "\n")
		lines[len(lines)-1] += parts[0]
		lines = append(lines, parts[1:]...)
		if !found {
			break
		}
		var up int
		if n, err := fmt.Sscanf(sequence, "%dA\x1b[J", &up); n != 1 || err != nil {
			return fmt.Sprintf("unknown sequence %.20q", sequence)
		}
		lines = append(lines[:len(lines)-1-up], "")
		_, stream, _ = strings.Cut(sequence, "\x1b[J")
	}
	return strings.Join(lines, "\n")
}
