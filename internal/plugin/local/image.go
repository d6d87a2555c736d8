package local

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

const (
	imageFile   = "image.json"     // the image's configuration
	partialRoot = "rootfs.partial" // becomes rootDir when it is complete
)

// defaultPath is what images rely on that set no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// imageConfig says how an image wants to be run.
type imageConfig = v1.Config

// unpack puts the image's files into the deployment's folder, unless they are
// there, and returns the image's configuration.
func (p *platform) unpack(ctx context.Context, at home, req component.DeployRequest[artifact.Image]) (imageConfig, error) {
	var config imageConfig
	_, err := os.Stat(at.path(rootDir))
	if err == nil {
		return config, readJSON(at.path(imageFile), &config)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return config, err
	}
	if err := removeTree(at.path(partialRoot)); err != nil {
		return config, err
	}
	client := oci.Client{
		HTTP:        p.host.HTTP,
		Credentials: oci.Credentials{Getenv: p.host.Getenv, Environ: p.host.Environ, DockerConfig: p.host.DockerConfig},
	}
	image, err := client.Fetch(ctx, req.Artifact, req.Pull, oci.DefaultPlatform)
	if err != nil {
		return config, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return config, fmt.Errorf("reading the configuration of %s: %w", req.Artifact.Reference(), err)
	}
	if err := checkMachine(req.Artifact, file); err != nil {
		return config, err
	}
	if err := writeJSON(at.path(imageFile), file.Config); err != nil {
		return config, err
	}
	if err := oci.Unpack(ctx, image, at.path(partialRoot)); err != nil {
		return config, err
	}
	return file.Config, os.Rename(at.path(partialRoot), at.path(rootDir))
}

// contentOf identifies what an image holds, wherever it was fetched from: a
// registry on this machine may have another port next time.
func contentOf(image artifact.Image) string { return cmp.Or(image.Digest, image.Reference()) }

// titleOf is how a person would name the image.
func titleOf(image artifact.Image) string {
	if image.Tag != "" {
		image.Digest = ""
	}
	return image.Reference()
}

func checkMachine(image artifact.Image, file *v1.ConfigFile) error {
	if file.Architecture == "" || file.Architecture == runtime.GOARCH {
		return nil
	}
	return &diag.Problem{
		Summary: "Image is for another kind of machine",
		Detail: fmt.Sprintf("%s is built for %s/%s, and this machine is %s. Build it for linux/%s.",
			image.Reference(), file.OS, file.Architecture, runtime.GOARCH, runtime.GOARCH),
	}
}

// compose says what the supervisor has to run, and delivers the files of the
// config block into root.
func (p *platform) compose(root *os.Root, config imageConfig, c card, req component.DeployRequest[artifact.Image]) (spec, error) {
	command := p.cfg.Command
	if len(command) == 0 {
		command = slices.Concat(config.Entrypoint, config.Cmd)
	}
	if len(command) == 0 {
		return spec{}, &diag.Problem{
			Summary: "Nothing to run",
			Detail:  fmt.Sprintf("%s names no entrypoint and no command. Add ENTRYPOINT or CMD to its Dockerfile, or set command.", req.Artifact.Reference()),
			Attr:    "command",
		}
	}
	who, err := lookupUser(root, config.User)
	if err != nil {
		return spec{}, err
	}
	dir := path.Join("/", config.WorkingDir)
	if err := deliver(root, dir, who, req.Files); err != nil {
		return spec{}, err
	}
	signal := unix.SIGTERM
	if config.StopSignal != "" {
		if signal, err = parseSignal(config.StopSignal); err != nil {
			return spec{}, err
		}
	}
	return spec{
		Sandbox:     sandbox{Dir: dir, Command: command, Env: p.environment(config, c, who, req.Env), User: who},
		StopSignal:  signal,
		StopTimeout: p.stopTimeout,
	}, nil
}

// environment returns the app's variables: what the image sets, then
// static_environment, then the config block, then what it must know.
func (p *platform) environment(config imageConfig, c card, who user, settings map[string]component.Setting) []string {
	values := map[string]string{"PATH": defaultPath, "HOME": who.Home}
	for _, variable := range config.Env {
		name, value, _ := strings.Cut(variable, "=")
		values[name] = value
	}
	for name, value := range p.cfg.StaticEnvironment {
		values[name] = value.Reveal()
	}
	for name, setting := range settings {
		values[name] = setting.Text.Reveal()
	}
	values["PORT"] = fmt.Sprint(c.Port)
	values[envMark] = c.Mark

	env := make([]string, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		env = append(env, name+"="+values[name])
	}
	return env
}

// deliver writes the files of the config block. Paths are those of the image,
// relative ones start at its working folder.
func deliver(root *os.Root, dir string, who user, files map[string]component.Setting) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := files[name]
		target := name
		if !path.IsAbs(target) {
			target = path.Join(dir, target)
		}
		target = strings.TrimPrefix(path.Clean(target), "/")
		mode := fs.FileMode(0o644)
		if file.Sensitive {
			mode = 0o600
		}
		err := root.MkdirAll(path.Dir(target), 0o755)
		if err == nil {
			err = root.WriteFile(target, []byte(file.Text.Reveal()), mode)
		}
		if err == nil && os.Geteuid() == 0 {
			err = root.Chown(target, who.UID, who.GID)
		}
		if err != nil {
			return fmt.Errorf("writing file %q into the image: %w", name, err)
		}
	}
	return nil
}

// parseSignal reads the signal that an image wants to be stopped with.
func parseSignal(name string) (unix.Signal, error) {
	var number int
	if _, err := fmt.Sscan(name, &number); err == nil && number > 0 && number <= 64 {
		return unix.Signal(number), nil
	}
	full := "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if signal := unix.SignalNum(full); signal != 0 {
		return signal, nil
	}
	return 0, &diag.Problem{
		Summary: "Unknown stop signal",
		Detail:  fmt.Sprintf("The image is to be stopped with %q, which is no signal. Correct STOPSIGNAL in its Dockerfile.", name),
	}
}

// sameJSON reports whether the file at path holds value.
func sameJSON(path string, value any) (bool, error) {
	has, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	wants, err := json.MarshalIndent(value, "", "  ")
	return bytes.Equal(bytes.TrimSpace(has), wants), err
}
