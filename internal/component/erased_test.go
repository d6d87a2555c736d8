package component_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// named decodes a name into the fakes' settings.
func named(name string) component.Decode {
	return func(into any) hcl.Diagnostics {
		if name == "" {
			return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Missing name"}}
		}
		into.(*settings).Name = name
		return nil
	}
}

// openPlatform opens a fake platform through its spec.
func openPlatform(t *testing.T, p platform[artifact.Image, deployment]) component.AnyPlatform {
	t.Helper()
	spec := component.NewPlatform(func(component.Host, settings) (component.Platform[artifact.Image, deployment], error) {
		return p, nil
	})
	opened, diags, err := spec.Open(component.Host{}, named("web"))
	if err != nil || diags.HasErrors() {
		t.Fatalf("Open: %v, %v", diags, err)
	}
	return opened
}

func TestOpen(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	spec := component.NewBuilder(func(_ component.Host, s settings) (component.Builder[artifact.None], error) {
		if s.Name == "bad" {
			return nil, refused
		}
		return builder[artifact.None]{}, nil
	})
	if _, ok := spec.Config().(*settings); !ok {
		t.Errorf("Config() = %T, want a pointer to the configuration", spec.Config())
	}
	cases := map[string]struct {
		name      string
		wantDiags bool
		want      error
	}{
		"good configuration":            {name: "web"},
		"configuration not decoded":     {wantDiags: true},
		"configuration that is refused": {name: "bad", want: refused},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opened, diags, err := spec.Open(component.Host{}, named(c.name))
			if diags.HasErrors() != c.wantDiags || !errors.Is(err, c.want) {
				t.Errorf("Open = %v, %v, want diagnostics: %t, error: %v", diags, err, c.wantDiags, c.want)
			}
			if (opened != nil) != (!c.wantDiags && c.want == nil) {
				t.Errorf("Open returned the component %v", opened)
			}
		})
	}
}

func TestErasedDeploy(t *testing.T) {
	t.Parallel()
	half := errors.New("half way")
	cases := map[string]struct {
		artifact artifact.Artifact
		made     deployment
		err      error
		want     component.Deployment
		wantErr  string
	}{
		"a deployment":            {artifact.Image{Tag: "1"}, deployment{"g"}, nil, deployment{"g"}, ""},
		"half a deployment":       {artifact.Image{}, deployment{"g"}, half, deployment{"g"}, "half way"},
		"nothing was made":        {artifact.Image{}, deployment{}, half, nil, "half way"},
		"no artifact":             {nil, deployment{"g"}, nil, deployment{"g"}, ""},
		"another kind than taken": {artifact.Files{}, deployment{"g"}, nil, nil, "artifact.Files does not fit artifact.Image"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openPlatform(t, platform[artifact.Image, deployment]{
				deploy: func(req component.DeployRequest[artifact.Image]) (deployment, error) {
					if req.ID != "web-1" || req.Sequence != 3 {
						t.Errorf("Deploy is asked for %s, %d", req.ID, req.Sequence)
					}
					return c.made, c.err
				},
			})
			got, err := p.Deploy(t.Context(), component.DeployRequest[artifact.Artifact]{
				Artifact: c.artifact, DeployInput: component.DeployInput{ID: "web-1", Sequence: 3},
			})
			if got != c.want {
				t.Errorf("Deploy = %#v, want %#v", got, c.want)
			}
			if (err != nil) != (c.wantErr != "") || (err != nil && !strings.Contains(err.Error(), c.wantErr)) {
				t.Errorf("Deploy error = %v, want %q", err, c.wantErr)
			}
		})
	}
}

func TestErasedTarget(t *testing.T) {
	t.Parallel()
	var asked component.Target[deployment]
	p := openPlatform(t, platform[artifact.Image, deployment]{
		asked: &asked,
		found: []component.Target[deployment]{{ID: "web-1", Deployment: deployment{"g"}}, {ID: "web-2"}},
	})
	target := component.Target[component.Deployment]{App: component.App{Name: "web"}, ID: "web-1", Sequence: 2, Deployment: deployment{"g"}}
	if health, err := p.Status(t.Context(), target); err != nil || health.State != component.Ready {
		t.Errorf("Status = %v, %v", health, err)
	}
	if asked.ID != "web-1" || asked.Sequence != 2 || asked.App.Name != "web" || asked.Deployment.Group != "g" {
		t.Errorf("the platform was asked for %+v", asked)
	}
	if err := p.Destroy(t.Context(), component.Target[component.Deployment]{ID: "web-9"}); err != nil || asked.Deployment != (deployment{}) {
		t.Errorf("destroying without a deployment: %v, asked for %+v", err, asked)
	}
	found, err := p.Find(t.Context(), target.App)
	if err != nil || len(found) != 2 || found[0].Deployment != (deployment{"g"}) || found[1].Deployment != nil {
		t.Errorf("Find = %v, %v", found, err)
	}
	for _, err := range p.Logs(t.Context(), component.Target[component.Deployment]{Deployment: plain{"other"}}, component.LogRequest{}) {
		if err == nil || !strings.Contains(err.Error(), "made by another plugin") {
			t.Errorf("logs of another plugin's deployment: %v", err)
		}
	}
	if _, err := p.Exec(t.Context(), target, component.ExecRequest{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Exec error = %v, want that it is unsupported", err)
	}
	if _, err := p.Restore(t.Context(), component.RestoreRequest[component.Deployment]{From: target}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Restore error = %v, want that it is unsupported", err)
	}
	if err := p.DestroyShared(t.Context(), target.App); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("DestroyShared error = %v, want that it is unsupported", err)
	}
}

func TestErasedRelease(t *testing.T) {
	t.Parallel()
	r, diags, err := releases().Open(component.Host{}, named("web"))
	if err != nil || diags.HasErrors() {
		t.Fatalf("Open: %v, %v", diags, err)
	}
	to := component.ReleaseRequest[component.Deployment]{
		Target: component.Target[component.Deployment]{Deployment: deployment{"g"}}, Percent: 100,
	}
	made, err := r.Release(t.Context(), to)
	if err != nil || made != (release{"g"}) {
		t.Errorf("Release = %v, %v, want group g", made, err)
	}
	if err := r.Destroy(t.Context(), component.App{}, made); err != nil {
		t.Errorf("Destroy: %v", err)
	}
	to.Percent = 10
	if made, err := r.Release(t.Context(), to); made != nil || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Release of a share = %v, %v", made, err)
	}
	if _, err := r.Plan(t.Context(), component.ReleaseRequest[component.Deployment]{Planned: true}); err != nil {
		t.Errorf("Plan before there is a deployment: %v", err)
	}
	to.Target.Deployment = plain{"other"}
	if _, err := r.Release(t.Context(), to); err == nil {
		t.Error("Release takes a deployment that the releaser cannot serve")
	}
}

func TestErasedArtifacts(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	build := func(b builder[artifact.None]) (artifact.Artifact, error) {
		spec := component.NewBuilder(func(component.Host, settings) (component.Builder[artifact.None], error) { return b, nil })
		opened, _, err := spec.Open(component.Host{}, named("web"))
		if err != nil {
			t.Fatal(err)
		}
		return opened.Build(t.Context(), component.BuildRequest{})
	}
	// A zero artifact is an artifact: None has no other value.
	if got, err := build(builder[artifact.None]{}); got != (artifact.None{}) || err != nil {
		t.Errorf("Build = %v, %v, want None", got, err)
	}
	if got, err := build(builder[artifact.None]{err: broken}); got != nil || !errors.Is(err, broken) {
		t.Errorf("Build = %v, %v, want no artifact", got, err)
	}
	push := func(g registry[artifact.Image], a artifact.Artifact) (artifact.Artifact, error) {
		spec := component.NewRegistry(func(component.Host, settings) (component.Registry[artifact.Image], error) { return g, nil })
		opened, _, err := spec.Open(component.Host{}, named("web"))
		if err != nil {
			t.Fatal(err)
		}
		planned, _, planErr := opened.Plan(t.Context(), component.PushRequest[artifact.Artifact]{Artifact: a})
		pushed, err := opened.Push(t.Context(), component.PushRequest[artifact.Artifact]{Artifact: a})
		if planned != pushed || (planErr == nil) != (err == nil) {
			t.Errorf("Plan = %v, %v, Push = %v, %v", planned, planErr, pushed, err)
		}
		return pushed, err
	}
	if got, err := push(registry[artifact.Image]{}, artifact.Image{Tag: "1"}); got != (artifact.Image{Tag: "1"}) || err != nil {
		t.Errorf("Push = %v, %v, want the image", got, err)
	}
	if got, err := push(registry[artifact.Image]{err: broken}, artifact.Image{Tag: "1"}); got != nil || !errors.Is(err, broken) {
		t.Errorf("Push = %v, %v, want no artifact", got, err)
	}
	if got, err := push(registry[artifact.Image]{}, artifact.Files{}); got != nil || err == nil {
		t.Errorf("Push of files = %v, %v, want an error", got, err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	spec := deploys[artifact.Image, deployment]()
	cases := map[string]struct {
		raw     string
		want    component.Deployment
		wantErr bool
	}{
		"a deployment":            {`{"group":"g"}`, deployment{"g"}, false},
		"with a field of a newer": {`{"group":"g","more":1}`, deployment{"g"}, false},
		"nothing was made":        {``, nil, false},
		"null":                    {`null`, nil, false},
		"not what was written":    {`[]`, nil, true},
		"cut off":                 {`{"group"`, nil, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := spec.Load(json.RawMessage(c.raw))
			if got != c.want || (err != nil) != c.wantErr {
				t.Errorf("Load(%s) = %v, %v, want %v", c.raw, got, err, c.want)
			}
		})
	}
	if r, err := releases().Load(json.RawMessage(`{"group":"g"}`)); r != (release{"g"}) || err != nil {
		t.Errorf("Load of a release = %v, %v", r, err)
	}
}

// TestDynamic opens components whose types are known only when they run: they
// are used as they are, and their configuration has no Go type.
func TestDynamic(t *testing.T) {
	t.Parallel()
	typed, _, err := releases().Open(component.Host{}, named("web"))
	if err != nil {
		t.Fatal(err)
	}
	refused := hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Not started"}}
	r := component.DynamicReleaser(func(component.Host, component.Decode) (component.AnyReleaser, hcl.Diagnostics, error) {
		return typed, nil, nil
	}, func(raw json.RawMessage) (component.Release, error) { return release{string(raw)}, nil })
	g := component.DynamicRegistry(func(component.Host, component.Decode) (component.AnyRegistry, hcl.Diagnostics, error) {
		return nil, refused, nil
	})
	if r.Config() != nil || g.Config() != nil {
		t.Errorf("Config() = %v, %v, want none", r.Config(), g.Config())
	}
	if opened, _, err := r.Open(component.Host{}, named("web")); opened != typed || err != nil {
		t.Errorf("Open = %v, %v, want the releaser itself", opened, err)
	}
	if _, diags, _ := g.Open(component.Host{}, named("web")); !diags.HasErrors() {
		t.Error("Open of a registry that does not start has no diagnostics")
	}
	if loaded, err := r.Load(json.RawMessage("g")); loaded != (release{"g"}) || err != nil {
		t.Errorf("Load = %v, %v", loaded, err)
	}
	if err := component.Chain(builds[artifact.Files](), g, deploys[artifact.Image, plain](), r); err != nil {
		t.Errorf("Chain of components that are known when they run: %v", err)
	}
}
