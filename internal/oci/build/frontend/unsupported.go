package frontend

import (
	"bytes"
	"errors"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Unsupported reports what in a Dockerfile no built-in engine honours; nil for
// one that is invalid, about which [Convert] has more to say.
func Unsupported(name string, content []byte) error {
	parsed, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		return nil
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil
	}
	var errs []error
	for _, stage := range stages {
		for _, command := range stage.Commands {
			run, ok := command.(*instructions.RunCommand)
			if !ok {
				continue
			}
			for _, what := range unsupported(run) {
				errs = append(errs, at(Request{Name: name}, lineOf(run.Location()), what+" is not supported", "The built-in engine cannot do that."))
			}
		}
	}
	return errors.Join(errs...)
}

// unsupported names the flags of a RUN that need another engine.
func unsupported(run *instructions.RunCommand) []string {
	var found []string
	if instructions.GetNetwork(run) == instructions.NetworkNone {
		found = append(found, "RUN --network=none")
	}
	if instructions.GetSecurity(run) == instructions.SecurityInsecure {
		found = append(found, "RUN --security=insecure")
	}
	if len(instructions.GetDevices(run)) > 0 {
		found = append(found, "RUN --device")
	}
	// Mounts are known once their variables are replaced.
	if run.Expand(func(word string) (string, error) { return word, nil }) != nil {
		return found
	}
	for _, mount := range instructions.GetMounts(run) {
		if mount.Type == instructions.MountTypeSSH && mount.Required {
			found = append(found, "RUN --mount=type=ssh")
		}
	}
	return found
}
