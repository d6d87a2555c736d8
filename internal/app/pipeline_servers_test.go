//go:build servers

package app_test

import (
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

const commandsConfig = `project = "shop"

config {
  runner {
    env = { STAGE = "for ${workspace.name}" }
  }
}

app "web" {
  build {
    use "null" {}
  }
  deploy {
    use "null" {}
  }
}

pipeline "good" {
  step "smoke" {
    workspace = "probes"
    image_url = "` + servers.Busybox + `"
    use "exec" {
      command = "sh"
      args    = ["-c", "echo \"$STAGE, token [$GITHUB_TOKEN], files [$(ls /www)]\""]
    }
  }
  step "up" {
    use "up" {}
  }
}

pipeline "bad" {
  step "smoke" {
    image_url = "` + servers.Busybox + `"
    use "exec" {
      command = "sh"
      args    = ["-c", "echo it burns; exit 3"]
    }
  }
  step "up" {
    use "up" {}
  }
}

pipeline "words" {
  step "smoke" {
    image_url = "` + servers.Busybox + `"
    use "exec" {
      command = "echo hello"
    }
  }
}

pipeline "late" {
  step "build" {
    use "build" {}
  }
  step "smoke" {
    image_url = "127.0.0.1:1/not/there"
    use "exec" {
      command = "true"
    }
  }
}

pipeline "absent" {
  step "smoke" {
    image_url = "127.0.0.1:1/not/there"
    use "exec" {
      command = "true"
    }
  }
  step "up" {
    use "up" {}
  }
}
`

// TestCommandsOnARealEngine runs pipelines with exec steps.
func TestCommandsOnARealEngine(t *testing.T) {
	t.Parallel()
	engine := servers.Docker(t)
	engine.ImportBusybox(t)
	environ := []string{"DOCKER_HOST=" + engine.Host, "GITHUB_TOKEN=ghs_0123456789abcdef"}
	cases := map[string]struct {
		status  int
		says    []string
		records int
	}{
		"good": {0, []string{"for probes, token [], files [index.html]", "web (default): deployed as"}, 4},
		"bad": {1, []string{
			"it burns", `Error: Command "sh" failed`, "waypoint.hcl:35:9", "It ended with exit status 3",
			`step up does not run: it depends on step "smoke"`,
		}, 0},
		"words":  {1, []string{`Error: The command "echo hello" cannot be started`, "its arguments go to args"}, 0},
		"late":   {1, []string{"Error: Image cannot be pulled"}, 2},
		"absent": {2, []string{"Error: Image cannot be pulled", "It was given no login"}, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := &site{t: t, dir: t.TempDir()}
			s.write("waypoint.hcl", commandsConfig)
			status, output := s.run(environ, "pipeline", "run", name, "--debug")
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			for _, want := range c.says {
				if !strings.Contains(output, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if got := len(s.records()); got != c.records {
				t.Errorf("%d records, want %d", got, c.records)
			}
			if t.Failed() {
				t.Logf("output:\n%s", output)
			}
		})
	}
	left, err := engine.Client.ContainerList(t.Context(), client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", "deploy-action.dev/project=shop"),
	})
	if err != nil || len(left.Items) > 0 {
		t.Errorf("containers left = %v, %v, want none", left.Items, err)
	}
}
