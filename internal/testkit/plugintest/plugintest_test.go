package plugintest_test

import (
	"net/http"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// newWorld makes a world for any component of the simple plugin.
func newWorld(*testing.T, *plugintest.Calls) plugintest.World {
	s := &store{things: map[string]string{"/values/user": "admin", "/values/password": "hunter22"}}
	return plugintest.World{
		Host:     component.Host{HTTP: &http.Client{Transport: s}},
		Config:   `name = "web"`,
		Artifact: artifact.Image{Repository: "web", Layout: "layout"},
		Command:  []string{"true"},
		Exists:   func() []string { return append(s.names("/run/"), s.names("/lease")...) },
		Traffic: func(app component.App) map[string]int {
			s.mu.Lock()
			defer s.mu.Unlock()
			if id, ok := s.things[folder("route", app)+"main"]; ok {
				return map[string]int{id: 100}
			}
			return nil
		},
	}
}

// TestContract breaks one promise at a time and looks at the checks that
// notice.
func TestContract(t *testing.T) {
	t.Parallel()
	kinds := map[string]struct {
		contract func(component.Plugin) plugintest.Contract
		defects  map[defect]string // what is broken, and the check that must fail
	}{
		"platform": {
			func(p component.Plugin) plugintest.Contract {
				return plugintest.PlatformCase{Plugin: p, New: newWorld}
			},
			map[defect]string{
				"plans with a write":                "a plan only reads",
				"plans nothing":                     "a plan only reads",
				"plans without a subject":           "a plan only reads",
				"shows a secret in its plan":        "a plan only reads",
				"shows a secret in a step":          "deploying twice is deploying once",
				"shows a secret in an error":        "failing at every call",
				"deploys anew each time":            "deploying twice is deploying once",
				"returns nothing":                   "deploying twice is deploying once",
				"returns what no record keeps":      "deploying twice is deploying once",
				"returns too much":                  "deploying twice is deploying once",
				"forgets what it made":              "failing at every call",
				"cleans up after the context ended": "cancelled at every call",
				"finds what is others'":             "find shows an app its own deployments",
				"finds no half-made deployments":    "killed at every call",
				"finds the oldest first":            "a second deployment keeps or supersedes the first",
				"believes every record":             "a forged record destroys nothing",
				"restores nothing":                  "restore puts the content back",
				"knows what is missing":             "what is missing is missing",
				"yields more than the tail":         "logs come in order and end",
				"yields lines out of order":         "logs come in order and end",
				"does not follow":                   "logs come in order and end",
				"runs commands badly":               "exec returns the status",
				"needs what it destroys":            "deploying twice is deploying once",
				"leaves everything":                 "a destroy that stops at any call is finished by the next",
			},
		},
		"releaser": {
			func(p component.Plugin) plugintest.Contract {
				return plugintest.ReleaserCase{Plugin: p, New: newWorld}
			},
			map[defect]string{
				"plans with a write":                       "a plan only reads",
				"refuses a share late":                     "a share of the traffic moves, or is refused at once",
				"closes the road before it opens the next": "stopped at any call, traffic has somewhere to go",
				"moves the address":                        "traffic moves to the next deployment and back",
				"releases what is released":                "releasing twice is releasing once",
				"keeps its release":                        "a destroy that stops at any call is finished by the next",
			},
		},
		"builder": {
			func(p component.Plugin) plugintest.Contract {
				return plugintest.BuilderCase{Plugin: p, New: newWorld}
			},
			map[defect]string{
				"writes in a build":                 "building twice makes the same artifact",
				"builds something else each time":   "building twice makes the same artifact",
				"cleans up after the context ended": "stopped at any call, the next build succeeds",
			},
		},
		"registry": {
			func(p component.Plugin) plugintest.Contract {
				return plugintest.RegistryCase{Plugin: p, New: newWorld}
			},
			map[defect]string{
				"plans another result":  "a plan only reads and says what a push returns",
				"uploads what is there": "pushing twice is pushing once",
				"stores elsewhere":      "pushing twice is pushing once",
			},
		},
		"sourcer": {
			func(p component.Plugin) plugintest.Contract {
				return plugintest.SourcerCase{
					Plugin: p, New: newWorld,
					Keys: []component.Key{
						{Params: map[string]string{"key": "user"}},
						{Params: map[string]string{"key": "password"}},
					},
					Want:    []string{"admin", "hunter22"},
					Unknown: component.Key{Params: map[string]string{"key": "nothing"}},
				}
			},
			map[defect]string{
				"answers in another order": "keys are answered in order",
				"keeps its lease":          "stopped at any call, it says so",
			},
		},
	}
	for kind, k := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if broken := plugintest.Broken(t, k.contract(simple("")), "testdata/simple", ""); len(broken) > 0 {
				t.Errorf("without a defect the contract is broken: %v", broken)
			}
			for d, want := range k.defects {
				t.Run(string(d), func(t *testing.T) {
					t.Parallel()
					broken := plugintest.Broken(t, k.contract(simple(d)), "testdata/simple", want)
					if broken[want] == nil {
						t.Errorf("the check %q passes", want)
					}
				})
			}
		})
	}
}

// TestExample shows an example that does not decode.
func TestExample(t *testing.T) {
	t.Parallel()
	broken := plugintest.Broken(t, plugintest.PlatformCase{Plugin: simple(""), New: newWorld}, "testdata/wrong", "")
	if err := broken["the example in the package comment decodes"]; err == nil || len(broken) != 1 {
		t.Errorf("a wrong example gives %v, want one broken check", broken)
	}
}
