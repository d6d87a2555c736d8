package packer_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/packer"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// The command packer of these tests prints what Packer prints for machines, and
// keeps what it was called with.
const script = `#!/bin/sh
echo "$*" >>calls
case $1 in
init) echo Installed plugin; exit 0 ;;
esac
for word; do
  case $word in -var-file=*) cat "${word#-var-file=}" >vars ;; esac
done
echo "key $AWS_ACCESS_KEY_ID" >>calls
cat said
exit "$(cat status 2>/dev/null || echo 0)"
`

const twoRegions = `1700000000,,ui,say,==> amazon-ebs.web: Creating AMI%!(PACKER_COMMA) please wait
1700000001,amazon-ebs.web,artifact,0,builder-id,mitchellh.amazonebs
1700000001,amazon-ebs.web,artifact,0,id,eu-west-1:ami-0a1%!(PACKER_COMMA)us-east-1:ami-0b2
1700000001,amazon-ebs.web,artifact,0,end
`

const oneMachine = "1700000001,googlecompute.web,artifact,0,id,web-1700000000\n"

// world is a folder with a template, and a packer on the PATH.
type world struct {
	app, path string
	shown     strings.Builder
}

func newWorld(t *testing.T, said string) *world {
	t.Helper()
	w := &world{app: t.TempDir(), path: t.TempDir()}
	w.write(t, filepath.Join(w.path, "packer"), script, 0o755)
	w.write(t, filepath.Join(w.app, "image.pkr.hcl"), "source \"null\" \"web\" {}\n", 0o644)
	w.write(t, filepath.Join(w.app, "said"), said, 0o644)
	return w
}

func (w *world) write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func (w *world) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(w.app, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(content)
}

func (w *world) host(t *testing.T) component.Host {
	return component.Host{
		Progress: shows{&w.shown}, TempDir: t.TempDir(), Mask: func(secret.Text) {},
		Environ: func() []string { return []string{"PATH=" + w.path + ":/usr/bin:/bin"} },
		Getenv: func(name string) string {
			return map[string]string{
				"PATH": w.path, "AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_REGION": "eu-west-1",
			}[name]
		},
	}
}

// shows is progress that keeps the output of tools.
type shows struct{ out io.Writer }

func (s shows) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, s)
}
func (shows) Update(string, ...any) {}
func (s shows) Output() io.Writer   { return s.out }

func (w *world) build(t *testing.T, c packer.BuilderConfig) (artifact.Artifact, error) {
	t.Helper()
	b, diags, err := packer.Plugin.Builder.Open(w.host(t), func(into any) hcl.Diagnostics {
		*into.(*packer.BuilderConfig) = c
		return nil
	})
	if err != nil || diags.HasErrors() {
		return nil, errors.Join(err, diags)
	}
	return b.Build(t.Context(), component.BuildRequest{App: component.App{Project: "shop", Name: "web", Path: w.app}})
}

func TestBuild(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		said string
		cfg  packer.BuilderConfig
		want artifact.MachineImage
		says string // of the problem
	}{
		"one machine":          {oneMachine, packer.BuilderConfig{}, artifact.MachineImage{ID: "web-1700000000"}, ""},
		"one of two regions":   {twoRegions, packer.BuilderConfig{Region: "us-east-1"}, artifact.MachineImage{ID: "ami-0b2", Region: "us-east-1"}, ""},
		"one of two builds":    {twoRegions + oneMachine, packer.BuilderConfig{Build: "googlecompute"}, artifact.MachineImage{ID: "web-1700000000"}, ""},
		"two regions":          {twoRegions, packer.BuilderConfig{}, artifact.MachineImage{}, "ami-0a1 in eu-west-1 of build amazon-ebs.web, ami-0b2 in us-east-1"},
		"neither region":       {twoRegions, packer.BuilderConfig{Region: "eu-north-1"}, artifact.MachineImage{}, "Correct `build` and `region`"},
		"no image":             {"", packer.BuilderConfig{}, artifact.MachineImage{}, "without an artifact"},
		"no template":          {oneMachine, packer.BuilderConfig{Template: "nowhere"}, artifact.MachineImage{}, "neither a file nor a folder"},
		"another's template":   {oneMachine, packer.BuilderConfig{Template: "../x"}, artifact.MachineImage{}, "leads out of it"},
		"both only and except": {oneMachine, packer.BuilderConfig{Only: []string{"a"}, Except: []string{"b"}}, artifact.MachineImage{}, "takes one of them"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.said)
			made, err := w.build(t, c.cfg)
			problem, _ := errors.AsType[*diag.Problem](err)
			switch {
			case c.says != "":
				if problem == nil || !strings.Contains(problem.Detail, c.says) {
					t.Errorf("Build = %v, %v, want a problem with %q", made, err, c.says)
				}
			case err != nil || made != c.want:
				t.Errorf("Build = %v, %v, want %v", made, err, c.want)
			}
		})
	}
}

// What is for people is shown, values go by a file, and keys only where the block
// says so.
func TestBuildCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoRegions)
	w.write(t, filepath.Join(w.app, "image.pkr.hcl"), "packer {\n  required_plugins {}\n}\n", 0o644)
	cfg := packer.BuilderConfig{Template: "image.pkr.hcl", Region: "eu-west-1", Vars: map[string]secret.Text{"password": "hunter3"}, Only: []string{"amazon-ebs.web"}}
	if _, err := w.build(t, cfg); err != nil {
		t.Fatal(err)
	}
	calls := w.read(t, "calls")
	for _, want := range []string{"init " + w.app + "/image.pkr.hcl\n", "build -machine-readable -color=false -only=amazon-ebs.web -var-file=", "key \n"} {
		if !strings.Contains(calls, want) {
			t.Errorf("Packer was called without %q:\n%s", want, calls)
		}
	}
	if strings.Contains(calls, "hunter") || w.read(t, "vars") != `{"password":"hunter3"}` {
		t.Errorf("the values went by %q and the file %q", calls, w.read(t, "vars"))
	}
	if shown := w.shown.String(); !strings.Contains(shown, "Creating AMI, please wait\n") || strings.Contains(shown, "artifact") {
		t.Errorf("people see:\n%s", shown)
	}
	cfg.Identity = true
	if _, err := w.build(t, cfg); err != nil || !strings.Contains(w.read(t, "calls"), "key AKIA1\n") {
		t.Errorf("with identity: %v\n%s", err, w.read(t, "calls"))
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1700000000,,ui,say,trying\n1700000000,,ui,error,Build 'amazon-ebs.web' errored: VpcId is invalid\n")
	w.write(t, filepath.Join(w.app, "status"), "1", 0o644)
	_, err := w.build(t, packer.BuilderConfig{})
	problem, _ := errors.AsType[*diag.Problem](err)
	if problem == nil || !strings.Contains(problem.Detail, "exit status 1") || !strings.Contains(problem.Detail, "VpcId is invalid") || strings.Contains(problem.Detail, "trying") {
		t.Errorf("Build = %v, want Packer's own reason", err)
	}

	w = newWorld(t, oneMachine)
	w.path = t.TempDir()
	if _, err := w.build(t, packer.BuilderConfig{}); err == nil || !strings.Contains(err.Error(), "No Packer on this machine") {
		t.Errorf("without Packer: %v", err)
	}
}

// said is what a problem tells people.
func said(err error) string {
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok {
		return err.Error()
	}
	return problem.Summary + "; " + problem.Detail
}

func open(h component.Host) (component.Sourcer, error) {
	s, _, err := packer.Plugin.Sourcer.Open(h, func(any) hcl.Diagnostics { return nil })
	return s, err
}

func opened(t *testing.T, h component.Host) component.Sourcer {
	t.Helper()
	s, err := open(h)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
