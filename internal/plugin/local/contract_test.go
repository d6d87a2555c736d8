package local_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/local"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

func TestPlatform(t *testing.T) {
	t.Parallel()
	plugintest.Platform(t, plugintest.PlatformCase{Plugin: local.Plugin, New: worlds(t), RealTime: true})
}

func TestReleaser(t *testing.T) {
	t.Parallel()
	plugintest.Releaser(t, plugintest.ReleaserCase{Plugin: local.Plugin, New: worlds(t), RealTime: true})
}

// worlds makes folders on this machine, each without a process that uses it.
func worlds(t *testing.T) func(*testing.T, *plugintest.Calls) plugintest.World {
	all := &rig{t: t, host: newHost(t.TempDir()), app: testApp}
	one, two := all.image("one", "/app"), all.image("two", "/app")
	count := 0
	return func(t *testing.T, _ *plugintest.Calls) plugintest.World {
		count++
		r := &rig{t: t, host: newHost(filepath.Join(all.host.DataDir, strconv.Itoa(count)))}
		t.Cleanup(func() {
			// The contract of a releaser leaves its deployments; what must be
			// gone it looks for itself, with Exists.
			for _, pid := range r.processes(helperArg) {
				_ = syscall.Kill(pid, syscall.SIGKILL) // its app ends with it
			}
		})
		return plugintest.World{
			Host:     r.host,
			Config:   `stop_timeout = "2s"`,
			Artifact: one,
			Another:  two,
			Exists: func() []string {
				folders, _ := filepath.Glob(filepath.Join(r.host.DataDir, "*", "*", "*", "*"))
				for _, pid := range r.processes("") {
					folders = append(folders, "process "+strconv.Itoa(pid))
				}
				return folders
			},
			Serving: func(d component.Deployment) string { return r.get(d.URL()) },
			Traffic: func(app component.App) map[string]int {
				data, err := os.ReadFile(filepath.Join(r.host.DataDir, app.Project, app.Workspace, app.Name, "_front", "state.json"))
				if err != nil {
					return nil
				}
				var state struct{ Route struct{ Deployment string } }
				if err := json.Unmarshal(data, &state); err != nil {
					t.Error(err)
				}
				if state.Route.Deployment == "" {
					return nil
				}
				return map[string]int{state.Route.Deployment: 100}
			},
			Command: []string{"/app", "exit", "0"},
		}
	}
}
