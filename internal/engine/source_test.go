package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// announced is a file whose hooks, and nothing else, need values of a source.
var announced = strings.NewReplacer("app ", `
variable "checked" {
  default = dynamic("safe", { name = "checked" })
}
variable "channel" {
  default = dynamic("safe", { name = "channel" })
}
app `, "\n}\n", `
  release {
    hook {
      when    = "before"
      command = ["announce", var.channel]
    }
  }
}
`).Replace(file)

func TestHooksGetWhatTheyReferTo(t *testing.T) {
	t.Parallel()
	source := strings.Replace(announced, "deploy {", `deploy {
    hook {
      when    = "before"
      command = ["check", var.checked]
    }`, 1)
	cases := map[string]struct {
		inPlace bool
		verb    func(*engine.Engine, context.Context, engine.Options) ([]engine.Result, error)
		want    []string // calls
	}{
		"in a rollback": {verb: (*engine.Engine).Rollback, want: []string{"ask channel", "hook announce the channel", "release 1"}},
		"in a rollback in place": {
			inPlace: true, verb: (*engine.Engine).Rollback,
			want: []string{"ask checked", "hook check the checked", "restore 1", "ask channel", "hook announce the channel", "release 3"},
		},
		"in a release": {verb: (*engine.Engine).Release, want: []string{"ask channel", "hook announce the channel", "release 1"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.inPlace = c.inPlace
			mustUp(t, w)
			mustUp(t, w)
			w.log = nil
			if _, err := c.verb(w.engine(t, source, safe(w)), t.Context(), engine.Options{Deployment: "1", Retain: -1}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, w.log); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAHookWithoutItsValueStopsARelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	w.log, w.fail = nil, failOn("ask channel", errors.New("sealed"))
	_, err := w.engine(t, announced, safe(w)).Rollback(t.Context(), defaults)
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok || !strings.Contains(err.Error(), "sealed") || !slices.Equal(w.log, []string{"ask channel"}) {
		t.Errorf("Rollback = %v after %q, want that nothing is released", err, w.log)
	}
}

// secretApps is a file with two apps that are given the same secret, and have
// hooks with one of their own.
const secretApps = `
project = "shop"
variable "web" {
  default = dynamic("east", { key = "web" })
}
variable "api" {
  default = dynamic("east", { key = "api" })
}
variable "region" {
  default = dynamic("east", { key = "region" })
}
config {
  env = { PASSWORD = dynamic("east", { key = "password" }) }
}
app "web" {
  build {
    use "world" {}
  }
  deploy {
    use "keyed" {
      region = var.region
    }
    hook {
      when    = "after"
      command = ["check", var.web]
    }
  }
}
app "api" {
  build {
    use "world" {}
  }
  deploy {
    use "keyed" {
      region = "${var.region}-2"
    }
    hook {
      when    = "after"
      command = ["check", var.api]
    }
  }
}
`

func newEast() *library {
	return &library{name: "east", values: map[string]string{
		"web": "the web secret", "api": "the api secret", "region": "north", "password": "the password",
	}}
}

func TestRecordsNeedTheBlocksAlone(t *testing.T) {
	t.Parallel()
	w, east := newWorld(t), newEast()
	if _, err := w.engine(t, secretApps, keyed(w), east.plugin()).Up(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	east.reads = nil
	if _, err := w.engine(t, secretApps, keyed(w), east.plugin()).Destroy(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"region"}, east.reads); diff != "" {
		t.Errorf("reads, want nothing for hooks, and once for both apps (-want +got):\n%s", diff)
	}
}

func TestASourceIsOpenedOnce(t *testing.T) {
	t.Parallel()
	w, east := newWorld(t), newEast()
	for range 3 {
		if _, err := w.engine(t, secretApps, keyed(w), east.plugin()).Up(t.Context(), defaults); err != nil {
			t.Fatal(err)
		}
	}
	east.reads, east.closed, w.log = nil, 0, nil
	e := w.engine(t, secretApps, keyed(w), east.plugin())
	if _, err := e.Rollback(t.Context(), engine.Options{Deployment: "1"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil || east.closed != 1 || len(east.reads) < 2 {
		t.Errorf("Close = %v, closed %d times after reads %q, want one source that is read several times", err, east.closed, east.reads)
	}
	want := []string{
		"deploy sha256:one with the password", "hook check the web secret",
		"deploy sha256:one with the password", "hook check the api secret",
	}
	if diff := cmp.Diff(want, w.log); diff != "" {
		t.Errorf("calls, want that each app has its settings (-want +got):\n%s", diff)
	}
}

// lasting is a source whose closing takes three seconds.
func lasting(name string) component.Plugin {
	return component.Plugin{Name: name, Sourcer: component.NewSourcer(func(component.Host, libraryConfig) (component.Sourcer, error) {
		return lastingSource{newEast()}, nil
	})}
}

type lastingSource struct{ *library }

func (lastingSource) Close(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(3 * time.Second):
		return nil
	}
}

func TestSourcesAreClosedAtTheSameTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		source := strings.Replace(secretApps, `dynamic("east", { key = "region" })`, `dynamic("west", { key = "region" })`, 1)
		e := w.engine(t, source, keyed(w), lasting("east"), lasting("west"))
		if _, err := e.Up(t.Context(), defaults); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("closing took %v, want that both are closed in 3s", took)
		}
	})
}

// strict is a platform that cannot be opened without its key.
func strict(w *world) *component.PlatformSpec {
	type config struct {
		Region string      `hcl:"region"`
		Key    secret.Text `hcl:"key,optional"`
		ID     string      `hcl:"id,optional"`
	}
	return component.NewPlatform(func(_ component.Host, c config) (component.Platform[artifact.Image, deployment], error) {
		if c.Key == "" {
			return nil, errors.New("no key is given")
		}
		return platform{w}, nil
	})
}

func TestAFileThatCannotBeReadIsToldWhereItsRecordFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.engine(t, recordedFile, keyed(w), safe(w)).Up(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	broken := keyed(w)
	broken.Platform = strict(w)
	w.log = nil
	_, err := w.engine(t, strings.Replace(recordedFile, `region = "north"`, `regoin = "north"`, 1), broken, safe(w)).Destroy(t.Context(), defaults)
	if err == nil || !strings.Contains(err.Error(), "no key is given") {
		t.Errorf("Destroy = %v, want what is wrong with the record", err)
	}
	told := slices.ContainsFunc(w.problems, func(d *hcl.Diagnostic) bool {
		return d.Severity == hcl.DiagWarning && strings.Contains(d.Error(), "regoin") && d.Subject != nil
	})
	if !told {
		t.Errorf("problems = %v, want a warning at the argument of the file", w.problems)
	}
}

func TestAnAppIsGivenWhatWasAskedForAnother(t *testing.T) {
	t.Parallel()
	w, east := newWorld(t), newEast()
	source := strings.Replace(secretApps, "var.api]", "var.web]", 1) // so that both need the same
	for range 3 {
		if _, err := w.engine(t, source, keyed(w), east.plugin()).Up(t.Context(), defaults); err != nil {
			t.Fatal(err)
		}
	}
	w.log = nil
	if _, err := w.engine(t, source, keyed(w), east.plugin()).Rollback(t.Context(), engine.Options{Deployment: "1"}); err != nil {
		t.Fatal(err)
	}
	with := slices.DeleteFunc(w.log, func(call string) bool { return call != "deploy sha256:one with the password" })
	if len(with) != 2 {
		t.Errorf("%d apps are deployed with their password, want 2", len(with))
	}
}
