// Package plugintest holds the contract that every component must pass:
// [Platform], [Builder], [Registry], [Releaser] and [Sourcer] run a component
// of a plugin against a fake of its outside world and check what the
// interfaces of package component promise.
//
// A plugin's test supplies the fake, the configuration and something to work
// on, in one small struct; what is particular to the plugin (which problem a
// user gets for which mistake) stays in the plugin's own tests.
//
//	func TestPlatform(t *testing.T) {
//		plugintest.Platform(t, plugintest.PlatformCase{
//			Plugin: Plugin,
//			New: func(t *testing.T, calls *plugintest.Calls) plugintest.World {
//				service := newFake(calls)
//				return plugintest.World{
//					Host:     component.Host{HTTP: service.Client()},
//					Config:   `region = "here"`,
//					Artifact: artifact.Image{Repository: "registry.test/web", Digest: digest},
//					Exists:   service.names,
//				}
//			},
//		})
//	}
//
// A component is opened anew for every operation, and what it returned goes
// through its JSON form in between, as between two runs of the program.
package plugintest

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// World is one component's surroundings for the length of one trial: a fake of
// the outside service, empty, and what the component is given. Fields that do
// not concern a component are left zero.
type World struct {
	// Plugin is the plugin under test with the client of its service replaced
	// by a fake. The zero value is the case's own, for what goes through Host.
	Plugin component.Plugin

	// Host is what the component is opened with. Its zero fields get harmless
	// values: folders that are removed, no environment, a client that refuses.
	// Requests of Host.HTTP and commands of Host.Helper are counted; a fake that
	// is reached in another way counts its calls itself.
	Host component.Host

	// Config is the inside of the use block, in HCL.
	Config string

	// Secrets are values of Config and of the fake that must not show up
	// anywhere. The one in the deployment's environment is known already.
	Secrets []secret.Text

	// Artifact is what a platform runs and a registry stores. Another makes it
	// possible to check that Restore brings the first one back.
	Artifact, Another artifact.Artifact

	// Source is the folder of the app, for builders; "" is an empty folder.
	Source string

	// Repository is handed to builders that may store layers ahead of a push.
	Repository *artifact.Repository

	// Reads tells requests of Host.HTTP that change nothing from those that do.
	// Nil goes by the method, which is wrong where reading is a POST.
	Reads func(*http.Request) bool

	// Exists lists everything that the fake holds for any app, in any order.
	// Nil where the fake cannot tell: then only Find is asked for leftovers.
	Exists func() []string

	// Serving returns what an app's users get from a deployment, in any form
	// that differs for Artifact and Another. Nil where the fake cannot tell.
	Serving func(component.Deployment) string

	// Traffic returns the percentage of an app's traffic by deployment ID. Nil
	// where the fake cannot tell.
	Traffic func(component.App) map[string]int

	// Command ends with status 0 when Exec runs it; nil leaves Exec untested.
	Command []string
}

// newWorld makes a fresh world that counts its calls in calls.
type newWorld = func(t *testing.T, calls *Calls) World

// subject is the component under test with the ways to make its world.
type subject struct {
	plugin   component.Plugin
	kind     kind
	folder   string
	newWorld newWorld
	realTime bool
	sample   int // of calls, as in [PlatformCase.Sample]
}

// check is one promise of the contract. It runs in as many fresh worlds as it
// needs and returns what was broken.
type check struct {
	name string
	run  func(*testing.T, *subject) error
}

// runChecks runs every check as a subtest of its own.
func runChecks(t *testing.T, s *subject, checks []check) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t, s); err != nil {
				t.Error(err)
			}
		})
	}
}

// once makes a check of a function that needs a single world.
func once(name string, run func(*trial) error) check {
	return check{name, func(t *testing.T, s *subject) error { return s.try(t, run) }}
}

// try runs fn in a fresh world and then looks for secrets in everything that
// the component said. Time is fake unless the subject needs real time.
func (s *subject) try(t *testing.T, fn func(*trial) error) error {
	t.Helper()
	var err error
	run := func(t *testing.T) {
		tr := newTrial(t, s)
		if err = fn(tr); err == nil {
			err = tr.seen.leak()
		}
	}
	if s.realTime {
		// The subtest removes the world's processes before the next one begins.
		t.Run("world", run)
	} else {
		synctest.Test(t, run)
	}
	return err
}

// newID returns a deployment's ID as the engine makes them.
func newID(app string) string {
	return component.Label(app, 19) + "-" + strings.ToLower(rand.Text()[:10])
}
