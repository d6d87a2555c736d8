package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/builtin"
	"github.com/deploy-action/deploy-action/internal/testkit/standin"
)

// The files by which most people got to know the language work unchanged, with
// stand-ins for plugins that are not built yet: they validate, and a plan of
// them has every stage.
func TestExampleFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source string
		plan   []string // what the plan says
	}{
		"the shortest": {
			source: `
project = "first"

app "web" {
  build {
    use "pack" {}
  }
  deploy {
    use "docker" {}
  }
}
`,
			plan: []string{"deployment", "web"},
		},
		"from source to cluster": {
			source: `
project = "shop"

app "web" {
  labels = {
    "service" = "web",
    "env"     = "dev"
  }

  build {
    use "pack" {
      builder = "heroku/buildpacks:20"
    }
    registry {
      use "docker" {
        image = "registry.example.com/shop/web"
        tag   = "1"
        local = false
      }
    }
  }

  deploy {
    use "kubernetes" {
      context    = "minikube"
      replicas   = 2
      probe_path = "/"
    }
  }

  release {
    use "kubernetes" {
      load_balancer = true
      port          = 80
    }
  }
}
`,
			plan: []string{"artifact", "deployment", "release"},
		},
		"values from Terraform Cloud and Vault": {
			source: `
project = "shop"

variable "network" {
  type = object({ name = string, subnets = list(string) })
  default = dynamic("terraform-cloud", {
    organization = "acme"
    workspace    = "network"
  })
}

variable "tag" {
  type    = string
  default = dynamic("terraform-cloud", {
    organization = "acme"
    workspace    = "images"
    output       = "tag"
  })
}

app "web" {
  config {
    env = {
      NETWORK = var.network.name
      HOST    = dynamic("terraform-cloud", {
        organization = "acme"
        workspace    = "database"
        output       = "host"
      })
      PASSWORD = dynamic("vault", {
        path = "secret/data/database"
        key  = "/data/password"
      })
      URL = "postgres://web:${config.env.PASSWORD}@${config.env.HOST}/shop"
    }
  }
  build {
    use "docker-ref" {
      image = "registry.example.com/shop/web"
      tag   = "7"
    }
  }
  deploy {
    use "aws-ecs" {
      region  = "eu-west-1"
      memory  = "512"
      subnets = var.network.subnets
    }
  }
}
`,
			plan: []string{"deployment", "release"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "waypoint.hcl"), []byte(c.source), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, verb := range []string{"validate", "plan"} {
				var stdout, stderr bytes.Buffer
				status := app.Main(t.Context(), app.Sys{
					Args:    []string{"deploy-action", verb},
					Environ: []string{"HOME=" + dir, "USER=tester", "DOCKER_HOST=unix://" + filepath.Join(dir, "none.sock")},
					Dir:     dir, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
					Plugins: standin.Plugins,
				})
				if status != 0 {
					t.Fatalf("%s exited %d:\n%s%s", verb, status, &stdout, &stderr)
				}
				for _, text := range c.plan {
					if verb == "plan" && !strings.Contains(stdout.String(), text) {
						t.Errorf("the plan lacks %q:\n%s", text, &stdout)
					}
				}
				if text := stdout.String() + stderr.String(); strings.Contains(text, "answer to PASSWORD") {
					t.Errorf("%s shows a secret:\n%s", verb, text)
				}
			}
		})
	}
}

// What is built stands before its stand-in.
func TestStandInsBesideBuiltPlugins(t *testing.T) {
	t.Parallel()
	plugins := standin.Beside(builtin.Plugins)
	seen := map[string]bool{}
	for _, p := range plugins {
		if seen[p.Name] {
			t.Errorf("there are two plugins %q", p.Name)
		}
		seen[p.Name] = true
	}
	for _, p := range standin.Plugins {
		if !seen[p.Name] {
			t.Errorf("there is no plugin %q", p.Name)
		}
	}
}
