package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// library is a source of values: it answers with what "key" names.
type library struct {
	name   string
	values map[string]string

	mu     sync.Mutex
	reads  []string // the keys of each Read
	closed int
	meet   func(context.Context) error // called in Read; may be nil
}

// libraryConfig is the source block of a library.
type libraryConfig struct {
	Token secret.Text `hcl:"token,optional"`
}

func (l *library) plugin() component.Plugin {
	return component.Plugin{Name: l.name, Sourcer: component.NewSourcer(func(component.Host, libraryConfig) (component.Sourcer, error) { return l, nil })}
}

func (l *library) Read(ctx context.Context, keys []component.Key) ([]component.Reading, error) {
	if l.meet != nil {
		if err := l.meet(ctx); err != nil {
			return nil, err
		}
	}
	var names []string
	readings := make([]component.Reading, len(keys))
	for i, key := range keys {
		name := key.Params["key"]
		names = append(names, name)
		text, found := l.values[name]
		if !found {
			readings[i].Err = &diag.Problem{Summary: "No such value", Detail: fmt.Sprintf("There is no %q.", name)}
		}
		readings[i].Text, readings[i].Public = secret.Text(text), strings.HasPrefix(name, "public")
	}
	slices.Sort(names)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads = append(l.reads, strings.Join(names, " "))
	return readings, nil
}

func (l *library) Close(context.Context) error {
	l.closed++
	return nil
}

// dynamicFile is a waypoint.hcl whose apps need values of two libraries.
const dynamicFile = `
project = "shop"

variable "token" {
  default = dynamic("east", { key = "token" })
}
variable "given" {
  type    = string
  default = dynamic("east", { key = "given" })
}
variable "unused" {
  default = dynamic("east", { key = "unused" })
}
config {
  env = { COMMON = dynamic("west", { key = "public-common" }) }
}
app "web" {
  config {
    env = {
      TOKEN = "t:${var.token}"
      GIVEN = var.given
      TWICE = dynamic("west", { key = "public-common" })
    }
  }
  build {
    use "world" {}
  }
  deploy {
    use "world" {}
  }
}
app "api" {
  config {
    env = { ONLY = dynamic("west", { key = "api-only" }) }
  }
  build {
    use "world" {}
  }
  deploy {
    use "world" {}
  }
}
`

func TestSourcesAreAskedOnceForWhatIsNeeded(t *testing.T) {
	t.Parallel()
	var both sync.WaitGroup // each source waits for the other to be asked
	both.Add(2)
	meet := func(context.Context) error { both.Done(); both.Wait(); return nil }
	east := &library{name: "east", values: map[string]string{"token": "sesame-open", "given": "from-east"}, meet: meet}
	west := &library{name: "west", values: map[string]string{"public-common": "all"}, meet: meet}
	e := newWorld(t).engine(t, dynamicFile, east.plugin(), west.plugin())

	apps, err := e.Settings(t.Context(), engine.Options{Apps: []string{"web"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]component.Setting{
		"COMMON": {Text: "all"},
		"GIVEN":  {Text: "from-east", Sensitive: true},
		"TOKEN":  {Text: "t:sesame-open", Sensitive: true},
		"TWICE":  {Text: "all"},
	}
	if !cmp.Equal(want, apps[0].Env, cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() })) {
		t.Errorf("Env = %v, want %v", apps[0].Env, want)
	}
	if diff := cmp.Diff([]string{"given token"}, east.reads); diff != "" {
		t.Errorf("reads of east (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"public-common"}, west.reads); diff != "" {
		t.Errorf("reads of west (-want +got):\n%s", diff)
	}
	if got := e.Secrets.RedactString("a sesame-open b, all c"); got != "a *** b, all c" {
		t.Errorf("redacted: %q", got)
	}
	if err := e.Close(t.Context()); err != nil || east.closed != 1 || west.closed != 1 {
		t.Errorf("Close: %v, closed %d and %d times, want once each", err, east.closed, west.closed)
	}
}

func TestValidateAsksNobody(t *testing.T) {
	t.Parallel()
	east, west := &library{name: "east"}, &library{name: "west"}
	e := newWorld(t).engine(t, dynamicFile, east.plugin(), west.plugin())
	if err := e.Validate(t.Context(), engine.Options{}); err != nil {
		t.Fatal(err)
	}
	if reads := append(east.reads, west.reads...); len(reads) != 0 {
		t.Errorf("reads: %q, want none", reads)
	}
}

func TestWithoutItsValueNothingIsTouched(t *testing.T) {
	t.Parallel()
	broken := errors.New("unreachable")
	for name, c := range map[string]struct {
		east *library
		want []string
	}{
		"a key":    {&library{values: map[string]string{"token": "sesame-open"}}, []string{`No such value; There is no "given".`, "waypoint.hcl:9"}},
		"a source": {&library{meet: func(context.Context) error { return broken }}, []string{"unreachable", "waypoint.hcl:"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.east.name = "east"
			west := &library{name: "west", values: map[string]string{"public-common": "all", "api-only": "one"}}
			w := newWorld(t)
			_, err := w.engine(t, dynamicFile, c.east.plugin(), west.plugin()).Up(t.Context(), engine.Options{})
			invalid, ok := errors.AsType[*engine.InvalidError](err)
			if !ok {
				t.Fatalf("Up: %v, want an InvalidError", err)
			}
			for _, want := range c.want {
				if got := invalid.Diags.Error(); !strings.Contains(got, want) {
					t.Errorf("Up: %v, want %q in it", got, want)
				}
			}
			if len(w.log) != 0 || len(w.records(t)) != 0 {
				t.Errorf("calls %q and records %q, want none", w.log, w.records(t))
			}
		})
	}
}

func TestUnknownSource(t *testing.T) {
	t.Parallel()
	west := &library{name: "west"}
	err := newWorld(t).engine(t, dynamicFile, west.plugin()).Validate(t.Context(), engine.Options{})
	if err == nil || !strings.Contains(err.Error(), `Unknown source "east"`) {
		t.Errorf("Validate: %v, want an unknown source", err)
	}
}

// chainedFile has a source whose own settings come from another.
const chainedFile = `
project = "shop"

variable "token" {
  type    = string
  default = dynamic("east", { key = "token" })
}
variable "name" {
  type    = string
  default = dynamic("%s", { key = "name" })
}
source "west" {
  token = var.token
}
source "east" {
  token = %s
}
app "web" {
  config {
    env = { VALUE = dynamic("west", { key = var.name }) }
  }
  build {
    use "world" {}
  }
  deploy {
    use "world" {}
  }
}
`

func TestSourcesThatNeedOneAnother(t *testing.T) {
	t.Parallel()
	values := map[string]string{"token": "sesame-open", "name": "deep", "deep": "the-value"}
	for name, c := range map[string]struct {
		source, token string
		east, west    []string
		want          string
	}{
		"in turn":     {"east", `"x"`, []string{"name", "token"}, []string{"deep"}, ""},
		"in a circle": {"west", "var.name", nil, nil, `The settings of "east", "west" wait for an answer of "east", "west", so there is none to ask first`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			east, west := &library{name: "east", values: values}, &library{name: "west", values: values}
			e := newWorld(t).engine(t, fmt.Sprintf(chainedFile, c.source, c.token), east.plugin(), west.plugin())
			apps, err := e.Settings(t.Context(), engine.Options{})
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Settings: %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := apps[0].Env["VALUE"].Text.Reveal(); got != "the-value" {
				t.Errorf("VALUE = %q", got)
			}
			if diff := cmp.Diff([][]string{c.east, c.west}, [][]string{east.reads, west.reads}); diff != "" {
				t.Errorf("reads (-want +got):\n%s", diff)
			}
		})
	}
}

// A question that is another one each time has no last answer.
func TestQuestionsWithoutEnd(t *testing.T) {
	t.Parallel()
	west := &library{name: "west", values: map[string]string{"public": "x"}}
	file := strings.Replace(fmt.Sprintf(chainedFile, "east", `"x"`), "key = var.name", `key = "public", once = uuid()`, 1)
	east := &library{name: "east", values: map[string]string{"token": "t"}}
	_, err := newWorld(t).engine(t, file, east.plugin(), west.plugin()).Settings(t.Context(), engine.Options{})
	if err == nil || !strings.Contains(err.Error(), `The value of "config.env.VALUE" is still not known`) {
		t.Errorf("Settings: %v, want a value that is not known", err)
	}
	if got := len(west.reads); got == 0 || got > 50 {
		t.Errorf("the source was asked %d times, want a few", got)
	}
}

func TestPartsOfASecretDocumentAreMasked(t *testing.T) {
	t.Parallel()
	east := &library{name: "east", values: map[string]string{"token": `{"user": "administrator", "list": ["second-part", "no"], "n": 7}`, "given": "x"}}
	west := &library{name: "west", values: map[string]string{"public-common": "all", "api-only": "one"}}
	e := newWorld(t).engine(t, dynamicFile, east.plugin(), west.plugin())
	if _, err := e.Settings(t.Context(), engine.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := e.Secrets.RedactString("administrator second-part no"); got != "*** *** no" {
		t.Errorf("redacted: %q", got)
	}
}

var _ component.Sourcer = (*library)(nil)

// A variable that is given is not asked for, whatever its default.
func TestGivenVariablesAreNotAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	east, west := &library{name: "east", values: map[string]string{"token": "t"}}, &library{name: "west", values: map[string]string{"public-common": "all"}}
	e := w.engine(t, dynamicFile, east.plugin(), west.plugin())
	scope, diags := e.Project.Scope(config.Inputs{Variables: []string{"given=here"}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	e.Scope = scope
	if _, err := e.Settings(t.Context(), engine.Options{Apps: []string{"web"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"token"}, east.reads); diff != "" {
		t.Errorf("reads of east (-want +got):\n%s", diff)
	}
}

// demanding is a source whose block cannot be left out.
func demanding() component.Plugin {
	type config struct {
		Address string `hcl:"address"`
	}
	return component.Plugin{Name: "east", Sourcer: component.NewSourcer(func(component.Host, config) (component.Sourcer, error) { return &library{}, nil })}
}

func TestSettingsOfASourceThatHasNoBlock(t *testing.T) {
	t.Parallel()
	err := newWorld(t).engine(t, dynamicFile, demanding(), (&library{name: "west"}).plugin()).Validate(t.Context(), engine.Options{})
	invalid, ok := errors.AsType[*engine.InvalidError](err)
	if !ok || len(invalid.Diags) != 1 || invalid.Diags[0].Subject.Start.Line == 0 ||
		!strings.Contains(invalid.Diags[0].Detail, `"address" is required here`) || !strings.Contains(invalid.Diags[0].Detail, `source "east" { … }`) {
		t.Errorf("Validate: %v, want one problem where the source is asked", err)
	}
}
