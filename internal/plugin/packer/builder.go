package packer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

type builder struct {
	host component.Host
	cfg  BuilderConfig
}

var _ component.Builder[artifact.MachineImage] = (*builder)(nil)

func openBuilder(h component.Host, c BuilderConfig) (component.Builder[artifact.MachineImage], error) {
	if len(c.Only) > 0 && len(c.Except) > 0 {
		return nil, &diag.Problem{Summary: "Both only and except", Detail: "Packer takes one of them: name the builds to run, or those not to run.", Attr: "except"}
	}
	if filepath.IsAbs(c.Template) || c.Template != "" && !filepath.IsLocal(c.Template) {
		return nil, &diag.Problem{
			Summary: "The template is outside the app's folder",
			Detail:  fmt.Sprintf("%q leads out of it. Templates are files of the app: give a path inside its folder.", c.Template),
			Attr:    "template",
		}
	}
	return &builder{h, c}, nil
}

// Build implements [component.Builder].
func (b *builder) Build(ctx context.Context, req component.BuildRequest) (artifact.MachineImage, error) {
	program, err := b.lookPacker()
	if err != nil {
		return artifact.MachineImage{}, err
	}
	template := filepath.Join(req.App.Path, b.cfg.Template)
	initialize, err := b.initializes(template)
	if err != nil {
		return artifact.MachineImage{}, err
	}
	environ, err := b.environ(ctx)
	if err != nil {
		return artifact.MachineImage{}, err
	}
	run := process{program: program, dir: req.App.Path, environ: environ}
	if initialize {
		err := b.host.Progress.Step(ctx, "Getting Packer's plugins", func(ctx context.Context, step component.Step) error {
			return run.packer(ctx, step.Output(), nil, "init", template)
		})
		if err != nil {
			return artifact.MachineImage{}, err
		}
	}
	args, err := b.args(template)
	if err != nil {
		return artifact.MachineImage{}, err
	}
	var made []image
	err = b.host.Progress.Step(ctx, "Building with Packer", func(ctx context.Context, step component.Step) error {
		return run.packer(ctx, step.Output(), &made, args...)
	})
	if err != nil {
		return artifact.MachineImage{}, err
	}
	return b.choose(made)
}

// lookPacker finds the packer command.
func (b *builder) lookPacker() (string, error) {
	for _, dir := range filepath.SplitList(b.host.Getenv("PATH")) {
		path := filepath.Join(dir, "packer")
		if info, err := os.Stat(path); filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", &diag.Problem{
		Summary: "No Packer on this machine",
		Detail: "The command packer is not on the PATH, and the container of this action has none. Run deploy-action where Packer is: " +
			"with the setup action after hashicorp/setup-packer, or in a job's own container.",
	}
}

// initializes reports whether Packer must fetch plugins first. A template of
// the older form, in JSON, cannot require any.
func (b *builder) initializes(template string) (bool, error) {
	files := []string{template}
	info, err := os.Stat(template)
	if errors.Is(err, fs.ErrNotExist) {
		return false, &diag.Problem{
			Summary: "No such template",
			Detail:  fmt.Sprintf("There is neither a file nor a folder %q. The path is relative to the app's folder.", template),
			Attr:    "template",
		}
	}
	if err != nil {
		return false, err
	}
	if b.cfg.Init != nil {
		return *b.cfg.Init, nil
	}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(template, "*.pkr.hcl")); err != nil {
			return false, err
		}
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			return false, err
		}
		if strings.HasSuffix(name, ".pkr.hcl") && strings.Contains(string(content), "required_plugins") {
			return true, nil
		}
	}
	return false, nil
}

// environ is that of Packer.
func (b *builder) environ(ctx context.Context) ([]string, error) {
	environ := append(b.host.Environ(), "CHECKPOINT_DISABLE=1", "PACKER_NO_COLOR=1")
	if b.cfg.Identity {
		session, err := aws.Open(b.host, b.cfg.Region)
		if err != nil {
			return nil, err
		}
		keys, err := session.Environ(ctx)
		if err != nil {
			return nil, err
		}
		environ = append(environ, keys...)
	}
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Env)) {
		environ = append(environ, name+"="+b.cfg.Env[name].Reveal())
	}
	return environ, nil
}

// args are those of `packer build`.
func (b *builder) args(template string) ([]string, error) {
	args := []string{"build", "-machine-readable", "-color=false"}
	if len(b.cfg.Only) > 0 {
		args = append(args, "-only="+strings.Join(b.cfg.Only, ","))
	}
	if len(b.cfg.Except) > 0 {
		args = append(args, "-except="+strings.Join(b.cfg.Except, ","))
	}
	if len(b.cfg.Vars) > 0 {
		values := map[string]string{}
		for name, value := range b.cfg.Vars {
			values[name] = value.Reveal()
		}
		content, err := json.Marshal(values)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(b.host.TempDir, "vars.json")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, fmt.Errorf("writing the values of the template's variables: %w", err)
		}
		args = append(args, "-var-file="+path)
	}
	return append(args, template), nil
}

// choose returns the one image that the block means.
func (b *builder) choose(made []image) (artifact.MachineImage, error) {
	var chosen []image
	for _, i := range made {
		if (b.cfg.Build == "" || i.of(b.cfg.Build)) && (b.cfg.Region == "" || i.region == "" || i.region == b.cfg.Region) {
			chosen = append(chosen, i)
		}
	}
	if len(chosen) == 1 {
		return artifact.MachineImage{ID: chosen[0].id, Region: chosen[0].region}, nil
	}
	var names []string
	for _, i := range made {
		names = append(names, i.String())
	}
	problem := &diag.Problem{
		Summary: "Packer made no image that is meant here",
		Detail:  fmt.Sprintf("It made %s. Correct `build` and `region`.", strings.Join(names, ", ")),
	}
	switch {
	case len(made) == 0:
		problem.Summary, problem.Detail = "Packer made no image", "The build succeeded without an artifact. Check the template's sources and post-processors."
	case len(chosen) > 1:
		problem.Summary, problem.Detail = "Packer made several images", fmt.Sprintf("It made %s. Name one by `build`, or its `region`.", strings.Join(names, ", "))
	}
	return artifact.MachineImage{}, problem
}
