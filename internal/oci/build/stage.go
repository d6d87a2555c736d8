package build

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// stage is the image while its instructions are carried out. Nothing is
// written yet: an instruction changes the configuration and plans layers.
type stage struct {
	req    Request
	file   *dockerfile
	source *source
	base   *oci.Base // nil for scratch
	fs     *filesystem
	config v1.ConfigFile
	args   variables // of ARG so far
	global variables // of ARG before FROM, and the platform's own
	hasCmd bool      // CMD stands in this file, so ENTRYPOINT leaves it alone
	layers [][]entry
}

// newStage carries out ARG before FROM, and FROM.
func newStage(ctx context.Context, req Request, file *dockerfile, source *source) (*stage, error) {
	s := &stage{req: req, file: file, source: source, args: variables{}}
	global, err := platformVariables(req.Platform)
	if err != nil {
		return nil, err
	}
	s.global = global
	for _, command := range file.args {
		if err := s.declare(&command, s.global, s.global); err != nil {
			return nil, s.locate(err, command.Location())
		}
	}
	if err := s.from(ctx); err != nil {
		return nil, s.locate(err, file.stage.Location)
	}
	return s, nil
}

// runAll carries out every instruction. What is wrong with several is joined.
func (s *stage) runAll() error {
	var errs []error
	for _, command := range s.file.stage.Commands {
		if err := s.run(command); err != nil {
			errs = append(errs, s.locate(err, command.Location()))
		}
	}
	return errors.Join(errs...)
}

// run expands the variables of one instruction and carries it out.
func (s *stage) run(command instructions.Command) error {
	before := len(s.layers)
	_, isArg := command.(*instructions.ArgCommand) // it may not need its default
	if expandable, ok := command.(instructions.SupportsSingleWordExpansion); ok && !isArg {
		if err := expandable.Expand(func(word string) (string, error) { return s.expand(word, s) }); err != nil {
			return err
		}
	}
	if err := s.perform(command); err != nil {
		return err
	}
	s.note(command, len(s.layers) == before)
	return nil
}

// perform carries out an instruction whose variables are expanded.
func (s *stage) perform(command instructions.Command) error {
	config := &s.config.Config
	switch c := command.(type) {
	case *instructions.CopyCommand:
		return s.copy(transfer{sources: c.SourcePaths, target: c.DestPath, chown: c.Chown, chmod: c.Chmod, verb: "COPY"})
	case *instructions.AddCommand:
		return s.copy(transfer{sources: c.SourcePaths, target: c.DestPath, chown: c.Chown, chmod: c.Chmod, verb: "ADD"})
	case *instructions.EnvCommand:
		for _, pair := range c.Env {
			config.Env = setVariable(config.Env, pair.Key, pair.Value)
		}
	case *instructions.LabelCommand:
		for _, pair := range c.Labels {
			set(&config.Labels, pair.Key, pair.Value)
		}
	case *instructions.WorkdirCommand:
		return s.workdir(c.Path)
	case *instructions.UserCommand:
		config.User = c.User
	case *instructions.ExposeCommand:
		return s.expose(c.Ports)
	case *instructions.VolumeCommand:
		for _, volume := range c.Volumes {
			set(&config.Volumes, volume, struct{}{})
		}
	case *instructions.StopSignalCommand:
		config.StopSignal = c.Signal
	case *instructions.HealthCheckCommand:
		config.Healthcheck = healthcheck(c.Health)
	case *instructions.CmdCommand:
		config.Cmd = s.commandLine(c.ShellDependantCmdLine)
		s.hasCmd = true
	case *instructions.EntrypointCommand:
		config.Entrypoint = s.commandLine(c.ShellDependantCmdLine)
		if !s.hasCmd {
			config.Cmd = nil // the base's arguments were for the base's program
		}
	case *instructions.MaintainerCommand:
		s.config.Author = c.Maintainer
	case *instructions.ArgCommand:
		return s.declare(c, s.args, s)
	default:
		return invalid("the instruction %s is not supported yet", strings.ToUpper(command.Name()))
	}
	return nil
}

// workdir changes the working folder and makes it.
func (s *stage) workdir(name string) error {
	s.config.Config.WorkingDir = path.Join("/", s.absolute(name))
	resolved, err := s.fs.resolve(s.config.Config.WorkingDir)
	if err != nil || s.fs.isFolder(resolved) {
		return err
	}
	s.layers = append(s.layers, s.fs.enter(resolved))
	return nil
}

// absolute makes a path in the image absolute.
func (s *stage) absolute(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join("/", s.config.Config.WorkingDir, name)
}

// note adds an instruction to the image's history.
func (s *stage) note(command instructions.Command, empty bool) {
	text := strings.ToUpper(command.Name())
	if written, ok := command.(fmt.Stringer); ok {
		text = written.String()
	}
	s.config.History = append(s.config.History, v1.History{
		Created:    v1.Time{Time: s.req.Time.UTC()},
		CreatedBy:  text,
		EmptyLayer: empty,
	})
}

// declare carries out ARG: a value from outside wins over the default, and
// without either one declared before FROM counts. Defaults are expanded in
// scope.
func (s *stage) declare(command *instructions.ArgCommand, into variables, scope shell.EnvGetter) error {
	for _, arg := range command.Args {
		if value, ok := s.req.Args[arg.Key]; ok {
			into[arg.Key] = value
			continue
		}
		if arg.Value != nil {
			value, err := s.expand(*arg.Value, scope)
			if err != nil {
				return err
			}
			into[arg.Key] = value
			continue
		}
		if value, ok := s.global[arg.Key]; ok {
			into[arg.Key] = value
		}
	}
	return nil
}

// expand replaces the variables in a word.
func (s *stage) expand(word string, scope shell.EnvGetter) (string, error) {
	expanded, _, err := shell.NewLex(s.file.escape).ProcessWord(word, scope)
	if err != nil {
		return "", invalid("%s", err)
	}
	return expanded, nil
}

// Get implements [shell.EnvGetter]: ENV wins over ARG.
func (s *stage) Get(name string) (string, bool) {
	for _, pair := range s.config.Config.Env {
		if key, value, _ := strings.Cut(pair, "="); key == name {
			return value, true
		}
	}
	return s.args.Get(name)
}

// Keys implements [shell.EnvGetter].
func (s *stage) Keys() []string {
	keys := s.args.Keys()
	for _, pair := range s.config.Config.Env {
		key, _, _ := strings.Cut(pair, "=")
		keys = append(keys, key)
	}
	return keys
}

var _ shell.EnvGetter = (*stage)(nil)

// locate adds the line of an instruction to what is wrong with it. Problems
// with something else than the Dockerfile stay as they are.
func (s *stage) locate(err error, location []parser.Range) error {
	line := lineOf(location)
	if invalid, ok := errors.AsType[*invalidError](err); ok {
		reason := invalid.Error()
		return s.file.problem(line, "Invalid instruction", strings.ToUpper(reason[:1])+reason[1:]+".")
	}
	if _, ok := errors.AsType[*diag.Problem](err); ok {
		return err
	}
	return fmt.Errorf("%s:%d: %w", s.file.name, line, err)
}

// invalidError is the reason why an instruction cannot be carried out, for the
// author of the Dockerfile.
type invalidError struct{ reason string }

// Error implements error.
func (e *invalidError) Error() string { return e.reason }

// invalid makes an [invalidError]: a sentence without its period.
func invalid(format string, args ...any) error {
	return &invalidError{fmt.Sprintf(format, args...)}
}
