package build

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// searchPath is the PATH of an image from scratch, as other builders set it.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// variables are values by name.
type variables map[string]string

var _ shell.EnvGetter = variables{}

// Get implements [shell.EnvGetter].
func (v variables) Get(name string) (string, bool) {
	value, ok := v[name]
	return value, ok
}

// Keys implements [shell.EnvGetter].
func (v variables) Keys() []string { return slices.Sorted(maps.Keys(v)) }

// platformVariables are those that every Dockerfile can refer to.
func platformVariables(target string) (variables, error) {
	v := variables{}
	for prefix, text := range map[string]string{"TARGET": target, "BUILD": oci.DefaultPlatform} {
		platform, err := oci.ParsePlatform(text)
		if err != nil {
			return nil, err
		}
		v[prefix+"PLATFORM"] = platform.String()
		v[prefix+"OS"] = platform.OS
		v[prefix+"ARCH"] = platform.Architecture
		v[prefix+"VARIANT"] = platform.Variant
	}
	return v, nil
}

// from carries out FROM. Of the base, only manifest and configuration are read
// now.
func (s *stage) from(ctx context.Context) error {
	name, err := s.expand(s.file.stage.BaseName, s.global)
	if err != nil {
		return err
	}
	wanted := s.req.Platform
	if s.file.stage.Platform != "" {
		if wanted, err = s.expand(s.file.stage.Platform, s.global); err != nil {
			return err
		}
	}
	platform, err := oci.ParsePlatform(wanted)
	if err != nil {
		return err
	}
	if name == "scratch" {
		s.fs = newFilesystem(nil)
		s.config = v1.ConfigFile{
			OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant,
			Config: v1.Config{Env: []string{searchPath}, WorkingDir: "/"},
		}
		return nil
	}
	if name == "" {
		return invalid("FROM names no image once its variables are replaced: give ARG a default, or pass build_args")
	}
	image, err := oci.ParseReference(name)
	if err != nil {
		return err
	}
	return s.fromImage(ctx, image, platform.String())
}

func (s *stage) fromImage(ctx context.Context, image artifact.Image, platform string) error {
	content, err := s.req.Client.Fetch(ctx, image, nil, platform)
	if err != nil {
		return err
	}
	config, err := content.ConfigFile()
	if err != nil {
		return fmt.Errorf("reading base image %s: %w", image.Reference(), err)
	}
	if len(config.Config.OnBuild) > 0 {
		return invalid("the base image %s has ONBUILD instructions, which are not supported yet: choose another base image", image.Reference())
	}
	s.base = &oci.Base{Image: content, Repository: artifact.Repository{Name: image.Repository}}
	s.fs = newFilesystem(func(visit visitor) error { return s.req.Layout.Scan(ctx, content, visit) })
	s.config = *config.DeepCopy()
	// What the base's own builder left, and says nothing about this image.
	s.config.Container, s.config.Config.Image = "", ""
	return nil
}

// commandLine returns a command in the exec form. Text goes to the shell.
func (s *stage) commandLine(line instructions.ShellDependantCmdLine) []string {
	if !line.PrependShell {
		return line.CmdLine
	}
	shell := s.config.Config.Shell
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return append(slices.Clone(shell), strings.Join(line.CmdLine, " "))
}

// expose carries out EXPOSE: ports and ranges of ports, with a protocol.
func (s *stage) expose(words []string) error {
	for _, word := range words {
		expanded, err := shell.NewLex(s.file.escape).ProcessWords(word, s)
		if err != nil {
			return invalid("%s", err)
		}
		for _, text := range expanded {
			first, last, protocol, err := parsePorts(text)
			if err != nil {
				return err
			}
			for port := first; port <= last; port++ {
				set(&s.config.Config.ExposedPorts, fmt.Sprintf("%d/%s", port, protocol), struct{}{})
			}
		}
	}
	return nil
}

// parsePorts reads PORT[-PORT][/PROTOCOL].
func parsePorts(text string) (first, last uint64, protocol string, err error) {
	ports, protocol, hasProtocol := strings.Cut(text, "/")
	if !hasProtocol {
		protocol = "tcp"
	}
	from, to, isRange := strings.Cut(ports, "-")
	if !isRange {
		to = from
	}
	first, firstErr := strconv.ParseUint(from, 10, 16)
	last, lastErr := strconv.ParseUint(to, 10, 16)
	protocol = strings.ToLower(protocol)
	if firstErr != nil || lastErr != nil || first > last || !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		return 0, 0, "", invalid("%q is not a port: it is written as PORT or PORT/PROTOCOL", text)
	}
	return first, last, protocol, nil
}

// healthcheck converts between two descriptions of the same JSON.
func healthcheck(h *dockerspec.HealthcheckConfig) *v1.HealthConfig {
	return &v1.HealthConfig{
		Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries,
	}
}

// setVariable sets a variable in a list of NAME=VALUE, in place if it is there.
func setVariable(env []string, name, value string) []string {
	for i, pair := range env {
		if key, _, _ := strings.Cut(pair, "="); key == name {
			env[i] = name + "=" + value
			return env
		}
	}
	return append(env, name+"="+value)
}

// set puts a value into a map that may not exist yet.
func set[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}
