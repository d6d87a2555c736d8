package config_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/testkit/standin"
)

// TestExamples evaluates files as people write them for the plugins of
// Waypoint: nothing in them is a problem, and their stages fit together.
func TestExamples(t *testing.T) {
	t.Parallel()
	for name, source := range examples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "values.yaml"), "replicas: 1\n")
			path := filepath.Join(dir, "waypoint.hcl")
			write(t, path, "project = \"shop\"\n"+source)
			p, diags := config.Load(path)
			check(t, diags)
			scope, diags := p.Scope(config.Inputs{Environ: []string{"REGISTRY_TOKEN=hidden value"}})
			check(t, diags)
			for _, name := range p.Apps() {
				checkExample(t, appOf(t, p, name, scope), scope)
			}
		})
	}
}

// checkExample checks every stage of an app against the configuration of its
// stand-in, and that the stages fit together.
func checkExample(t *testing.T, a *config.App, scope config.Scope) {
	t.Helper()
	builder, platform := pluginOf(t, a.Build).Builder, pluginOf(t, a.Deploy).Platform
	checkStage(t, a.Build, scope, builder.Config())
	checkStage(t, a.Deploy, scope, platform.Config())
	var registry *component.RegistrySpec
	if a.Push != nil {
		registry = pluginOf(t, a.Push).Registry
		checkStage(t, a.Push, scope, registry.Config())
	}
	var releaser *component.ReleaserSpec
	if a.Release != nil {
		releaser = pluginOf(t, a.Release).Releaser
		checkStage(t, a.Release, scope, releaser.Config())
	}
	if err := component.Chain(builder, registry, platform, releaser); err != nil {
		t.Error(err)
	}
}

func checkStage(t *testing.T, s *config.Stage, scope config.Scope, into any) {
	t.Helper()
	_, diags := s.Check(scope, into)
	check(t, diags)
	_, diags = s.Hooks(scope.WithUnknowns())
	check(t, diags)
}

// pluginOf returns the stand-in that a stage names.
func pluginOf(t *testing.T, s *config.Stage) component.Plugin {
	t.Helper()
	i := slices.IndexFunc(standin.Plugins, func(p component.Plugin) bool { return p.Name == s.Plugin })
	if i < 0 {
		t.Fatalf("there is no stand-in for %q", s.Plugin)
	}
	return standin.Plugins[i]
}

// examples are files without their first line, by what they show.
var examples = map[string]string{
	"labels with commas, and a registry in Docker only": `
app "web" {
  labels = {
    "service" = "web",
    "env"     = "dev"
  }
  build {
    use "docker" {
      dockerfile         = "${path.app}/${app.name}/Dockerfile"
      context            = path.project
      disable_entrypoint = true
      build_args         = { VERSION = "1" }
    }
    registry {
      use "docker" {
        image = "web"
        tag   = "1"
        local = true
      }
    }
  }
  deploy {
    use "docker" {
      service_port = 8080
      static_environment = {
        PLATFORM = "docker (dev)"
      }
      resources = {
        memory = "256M"
        cpu    = "512"
      }
    }
  }
}`,
	"a registry with a password": `
variable "token" {
  type      = string
  sensitive = true
  env       = ["REGISTRY_TOKEN"]
}
variable "image" {
  type = object({ name = string, tag = optional(string, "latest") })
  default = {
    name = "ghcr.io/acme/web"
  }
}
app "web" {
  build {
    use "pack" {
      buildpacks = ["heroku/nodejs"]
      ignore     = ["node_modules/**"]
    }
    registry {
      use "docker" {
        image        = var.image.name
        tag          = "${var.image.tag}-${workspace.name}"
        username     = "acme"
        password     = var.token
        encoded_auth = base64encode(jsonencode({ username = "acme", password = var.token }))
      }
    }
  }
  deploy {
    use "kubernetes" {
      probe_path   = "/health"
      image_secret = "registry"
    }
  }
}`,
	"a cluster with everything": `
variable "replicas" {
  type    = map(number)
  default = { default = 1, production = 3 }
}
app "web" {
  config {
    env = {
      PASSWORD = dynamic("kubernetes", { name = "db", key = "password", secret = "true" })
    }
  }
  build {
    use "docker-pull" {
      image = "nginx"
      tag   = "1.27"
    }
    registry {
      use "aws-ecr" {
        region     = "eu-west-1"
        repository = "web"
        tag        = "1"
      }
    }
  }
  deploy {
    use "kubernetes" {
      namespace = workspace.name
      replicas  = var.replicas[workspace.name]
      cpu {
        request = "250m"
        limit   = "500m"
      }
      autoscale {
        min_replicas = 1
        max_replicas = 4
        cpu_percent  = 50
      }
      pod {
        container {
          port {
            name = "http"
            port = 3000
          }
          probe {
            initial_delay = 4
          }
        }
        sidecar {
          image = "envoy"
          container {
            name    = "envoy"
            command = ["envoy", "-c", "x"]
          }
        }
      }
    }
    workspace "production" {
      use "kubernetes" {
        namespace = "live"
      }
    }
    hook {
      when    = "after"
      command = ["echo", artifact.image, artifact.tag]
    }
  }
  release {
    use "kubernetes" {
      ingress "http" {
        default   = true
        path_type = "Prefix"
        path      = "/"
        tls {
          hosts       = ["shop.example.com"]
          secret_name = "tls"
        }
      }
    }
  }
}`,
	"a chart": `
app "web" {
  build {
    use "pack" {}
    registry {
      use "docker" {
        image = "registry.example.com/web"
        tag   = "1"
      }
    }
  }
  deploy {
    use "helm" {
      name  = app.name
      chart = "${path.app}/chart"
      values = [
        file("${path.app}/values.yaml"),
        yamlencode({ image = { repository = artifact.image, tag = artifact.tag } }),
      ]
      set {
        name  = "deployment.image"
        value = artifact.image
      }
    }
  }
}`,
	"containers and a load balancer at AWS": `
app "web" {
  build {
    use "docker" {}
    registry {
      use "aws-ecr" {
        region = "eu-west-1"
        tag    = "1"
      }
    }
  }
  deploy {
    use "aws-ecs" {
      region = "eu-west-1"
      memory = 512
      count  = 2
      alb {
        certificate = "arn:aws:acm:x"
        zone_id     = "Z1"
        domain_name = "shop.example.com"
      }
      sidecar {
        name  = "proxy"
        image = "envoy"
        health_check {
          command = ["CMD", "true"]
        }
      }
      logging {
        create_group = false
      }
    }
  }
}
app "function" {
  build {
    use "aws-ecr-pull" {
      repository = "function"
      tag        = "1"
    }
  }
  deploy {
    use "aws-lambda" {
      region  = "eu-west-1"
      memory  = "512"
      timeout = 30
    }
  }
  release {
    use "lambda-function-url" {
      auth_type = "NONE"
      cors {
        allow_methods = ["*"]
      }
    }
  }
}
app "machine" {
  build {
    use "aws-ami" {
      region  = "eu-west-1"
      owners  = ["self"]
      filters = { architecture = ["x86_64"] }
    }
  }
  deploy {
    use "aws-ec2" {
      region        = "eu-west-1"
      instance_type = "t3.micro"
      service_port  = 80
      count {
        min = 1
        max = 2
      }
    }
  }
  release {
    use "aws-alb" {
      name = "machine-${workspace.name}"
    }
  }
}`,
	"other clouds": `
app "run" {
  build {
    use "docker-ref" {
      image = "gcr.io/acme/run"
      tag   = "1"
    }
  }
  deploy {
    use "google-cloud-run" {
      project  = "acme"
      location = "europe-west1"
      capacity {
        memory                     = 128
        cpu_count                  = 1
        request_timeout            = 60
        max_requests_per_container = 10
      }
      auto_scaling {
        max = 2
      }
    }
  }
  release {
    use "google-cloud-run" {}
  }
}
app "instance" {
  build {
    use "docker-ref" {
      image = "acme.azurecr.io/instance"
      tag   = "1"
    }
  }
  deploy {
    use "azure-container-instance" {
      resource_group = "shop"
      ports          = [8080]
      capacity {
        memory    = "1024"
        cpu_count = 2
      }
      volume {
        name      = "data"
        path      = "/data"
        read_only = false
        git_repo {
          repository = "https://github.com/acme/data"
        }
      }
    }
  }
}
app "page" {
  build {
    use "files" {}
    registry {
      use "files" {
        path = "/srv/${app.name}"
      }
    }
  }
  deploy {
    use "netlify" {
      site_name = "acme"
    }
  }
}`,
	"a job of Nomad, and a command": `
runner {
  enabled = true
}
app "job" {
  build {
    use "docker" {}
    registry {
      use "docker" {
        image = "registry.example.com/job"
        tag   = "1"
      }
    }
  }
  deploy {
    use "nomad" {
      datacenter = "dc1"
      replicas   = 2
      resources {
        cpu      = 100
        memorymb = 128
      }
      static_environment = merge(entrypoint.env, { MODE = "x" })
    }
  }
}
app "command" {
  url {
    auto_hostname = false
  }
  build {
    use "docker-ref" {
      image = "x"
      tag   = "y"
    }
  }
  deploy {
    use "exec" {
      command = ["kubectl", "apply", "-f", "<TPL>"]
      template {
        path = "${path.app}/deploy.yaml"
      }
    }
  }
}`,
}
