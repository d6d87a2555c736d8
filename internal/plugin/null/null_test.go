package null_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/null"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// decode reads the body of a use block.
func decode(t *testing.T, body string) component.Decode {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(body), "waypoint.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return func(into any) hcl.Diagnostics { return gohcl.DecodeBody(file.Body, nil, into) }
}

// emptyWorld holds nothing, which is all that this plugin needs.
func emptyWorld(*testing.T, *plugintest.Calls) plugintest.World {
	return plugintest.World{Artifact: artifact.None{}}
}

func TestBuilder(t *testing.T) {
	t.Parallel()
	plugintest.Builder(t, plugintest.BuilderCase{Plugin: null.Plugin, New: emptyWorld})
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	plugintest.Platform(t, plugintest.PlatformCase{Plugin: null.Plugin, New: emptyWorld})
}

func TestCancelledPlatformDeploysNothing(t *testing.T) {
	t.Parallel()
	platform, _, err := null.Plugin.Platform.Open(component.Host{}, decode(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	deployment, err := platform.Deploy(ctx, component.DeployRequest[artifact.Artifact]{Artifact: artifact.None{}})
	if !errors.Is(err, context.Canceled) || deployment != nil {
		t.Errorf("Deploy() = %v, %v, want nil and context.Canceled", deployment, err)
	}
}

func TestReleaserContract(t *testing.T) {
	t.Parallel()
	plugintest.Releaser(t, plugintest.ReleaserCase{Plugin: null.Plugin, New: emptyWorld})
}

func TestSourcerContract(t *testing.T) {
	t.Parallel()
	plugintest.Sourcer(t, plugintest.SourcerCase{
		Plugin: null.Plugin,
		New: func(*testing.T, *plugintest.Calls) plugintest.World {
			return plugintest.World{Config: `values = { token = "a-token-value" }`, Secrets: []secret.Text{"a-token-value"}}
		},
		Keys: []component.Key{
			{Var: "A", Params: map[string]string{"config_key": "token"}},
			{Var: "B", Params: map[string]string{"static_value": "plain"}},
		},
		Want:    []string{"a-token-value", "plain"},
		Unknown: component.Key{Var: "C", Params: map[string]string{"config_key": "absent"}},
	})
}

func TestReleaser(t *testing.T) {
	t.Parallel()
	releaser, diags, err := null.Plugin.Releaser.Open(component.Host{}, decode(t, ""))
	if err != nil || diags.HasErrors() {
		t.Fatalf("Open: %v, %v", err, diags)
	}
	req := component.ReleaseRequest[component.Deployment]{Percent: 100}
	req.Target.ID, req.Target.Deployment = "web-a", null.Deployment{ID: "web-a"}
	release, err := releaser.Release(t.Context(), req)
	if diff := cmp.Diff(component.Release(null.Release{Deployment: "web-a"}), release); err != nil || diff != "" {
		t.Errorf("Release() error %v (-want +got):\n%s", err, diff)
	}
	req.Percent = 10
	if _, err := releaser.Plan(t.Context(), req); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Plan(10%%) = %v, want ErrUnsupported", err)
	}
	if err := releaser.Destroy(t.Context(), component.App{}, release); err != nil {
		t.Errorf("Destroy() = %v", err)
	}
}

func TestSourcer(t *testing.T) {
	t.Parallel()
	sourcer, diags, err := null.Plugin.Sourcer.Open(component.Host{}, decode(t, `values = { token = "s3cr3t" }`))
	if err != nil || diags.HasErrors() {
		t.Fatalf("Open: %v, %v", err, diags)
	}
	cases := map[string]struct {
		params  map[string]string
		want    string
		problem string
	}{
		"static":   {params: map[string]string{"static_value": "x"}, want: "x"},
		"key":      {params: map[string]string{"config_key": "token"}, want: "s3cr3t"},
		"missing":  {params: map[string]string{"config_key": "tokem"}, problem: "No such value"},
		"both":     {params: map[string]string{"config_key": "token", "static_value": "x"}, problem: "One parameter wanted"},
		"neither":  {problem: "One parameter wanted"},
		"misspelt": {params: map[string]string{"config_kex": "token"}, problem: "Unknown parameter of a null value"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readings, err := sourcer.Read(t.Context(), []component.Key{{Var: "V", Params: c.params}})
			if err != nil || len(readings) != 1 {
				t.Fatalf("Read() = %v, %v, want one reading", readings, err)
			}
			if got := readings[0].Text.Reveal(); got != c.want {
				t.Errorf("Read() = %q, want %q", got, c.want)
			}
			problem, _ := errors.AsType[*diag.Problem](readings[0].Err)
			if c.problem == "" && readings[0].Err != nil || c.problem != "" && (problem == nil || problem.Summary != c.problem) {
				t.Errorf("Read() error = %v, want %q", readings[0].Err, c.problem)
			}
		})
	}
}
