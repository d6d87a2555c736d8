package build

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// dockerfile is a parsed Dockerfile with nothing in it that we cannot do.
type dockerfile struct {
	name   string // for messages, relative to the root
	escape rune
	args   []instructions.ArgCommand // before FROM
	stage  instructions.Stage
}

// readDockerfile parses the file and refuses what is not supported yet, all at
// once.
func readDockerfile(root *os.Root, req Request) (*dockerfile, error) {
	name, err := within(req, req.Dockerfile, "dockerfile")
	if err != nil {
		return nil, err
	}
	data, err := root.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &diag.Problem{
			Summary: "Missing Dockerfile",
			Detail:  fmt.Sprintf("There is no file %q. Add it, or name another with the attribute dockerfile.", name),
			Attr:    "dockerfile",
		}
	case errors.Is(err, syscall.EISDIR):
		return nil, &diag.Problem{
			Summary: "Dockerfile is a folder",
			Detail:  fmt.Sprintf("%q is a folder. Name the file in it with the attribute dockerfile.", name),
			Attr:    "dockerfile",
		}
	case err != nil:
		return nil, outside(name, "dockerfile", err)
	}
	file := &dockerfile{name: name}
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, file.syntaxProblem(err)
	}
	if err := file.checkStart(parsed.AST); err != nil {
		return nil, err
	}
	file.escape = parsed.EscapeToken
	stages, args, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, file.syntaxProblem(err)
	}
	if err := file.unsupported(stages); err != nil {
		return nil, err
	}
	file.args, file.stage = args, stages[0]
	return file, nil
}

// checkStart reports a file that does not begin with FROM, of which the parser
// says only that there is no current stage.
func (f *dockerfile) checkStart(ast *parser.Node) error {
	line := 1
	for _, node := range ast.Children {
		line = node.StartLine
		switch name := strings.ToUpper(node.Value); {
		case name == "FROM", !slices.Contains(known, name):
			return nil
		case name != "ARG":
			return f.noFrom(line)
		}
	}
	return f.noFrom(line)
}

func (f *dockerfile) noFrom(line int) error {
	return f.problem(line, "Dockerfile without FROM",
		"Only ARG may stand before FROM and the image to build on. Begin with FROM scratch for an image of your files alone.")
}

// problem describes something wrong at a line.
func (f *dockerfile) problem(line int, summary, detail string) *diag.Problem {
	return &diag.Problem{Summary: summary, Detail: fmt.Sprintf("%s:%d: %s", f.name, line, detail)}
}

// syntaxProblem describes why the file does not parse. The parser's message
// repeats the line, which the problem names already.
func (f *dockerfile) syntaxProblem(err error) error {
	line := 1
	if located, ok := errors.AsType[*parser.LocationError](err); ok && len(located.Locations) > 0 {
		line = lineOf(located.Locations[0])
	}
	reason := err.Error()
	if _, rest, ok := strings.Cut(reason, fmt.Sprintf("parse error on line %d: ", line)); ok {
		reason = rest
	}
	detail := strings.ToUpper(reason[:1]) + reason[1:] + "."
	if unknown, ok := errors.AsType[*instructions.UnknownInstructionError](err); ok {
		line = max(line, unknown.Line)
		detail = fmt.Sprintf("There is no instruction %q.%s", unknown.Instruction, diag.Suggest(strings.ToUpper(unknown.Instruction), known))
	}
	return f.problem(line, "Invalid Dockerfile", detail)
}

// known is every instruction, for suggestions.
var known = []string{
	"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
	"ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}

func lineOf(location []parser.Range) int {
	if len(location) == 0 {
		return 1
	}
	return max(1, location[0].Start.Line) // an empty file has an error in line 0
}

// unsupported joins a problem for every instruction that we cannot do.
func (f *dockerfile) unsupported(stages []instructions.Stage) error {
	var errs []error
	refuse := func(location []parser.Range, what, instead string) {
		errs = append(errs, f.problem(lineOf(location), what+" is not supported yet", instead))
	}
	for _, stage := range stages[1:] {
		refuse(stage.Location, "A second FROM", "This version builds Dockerfiles of one stage. "+buildOutside)
	}
	for _, command := range stages[0].Commands {
		if what, instead := refusal(command); what != "" {
			refuse(command.Location(), what, instead)
		}
	}
	return errors.Join(errs...)
}

// buildOutside is the way out for what a build would have to run.
const buildOutside = "Build programs before, for example in a hook, and COPY the result."

// Unsupported reports what in a Dockerfile [Build] cannot do yet; nil for one
// that is invalid, about which Build has more to say.
func Unsupported(content []byte) error {
	parsed, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		return nil
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil || len(stages) == 0 {
		return nil
	}
	return (&dockerfile{name: "Dockerfile"}).unsupported(stages)
}

// refusal says what about a command is not supported, and what to do instead;
// "" for a command that is.
func refusal(command instructions.Command) (what, instead string) {
	const copyHere = "COPY files of the build context instead."
	switch c := command.(type) {
	case *instructions.RunCommand:
		return "RUN", "This version arranges files and runs no commands. " + buildOutside
	case *instructions.OnbuildCommand:
		return "ONBUILD", "Write the instruction where it is needed."
	case *instructions.ShellCommand:
		return "SHELL", "Write CMD and ENTRYPOINT in the exec form, with the shell as their first word."
	case *instructions.CopyCommand:
		switch {
		case c.From != "":
			return "COPY --from", copyHere
		case len(c.SourceContents) > 0:
			return "A here-document", "Write the text to a file of the build context and COPY that."
		case c.Parents:
			return "COPY --parents", "COPY each folder to its own place."
		case len(c.ExcludePatterns) > 0:
			return "COPY --exclude", "Name the files in .dockerignore."
		}
	case *instructions.AddCommand:
		switch {
		case len(c.SourceContents) > 0:
			return "A here-document", "Write the text to a file of the build context and ADD that."
		case len(c.ExcludePatterns) > 0:
			return "ADD --exclude", "Name the files in .dockerignore."
		case c.Checksum != "" || c.KeepGitDir != nil || c.Unpack != nil:
			return "ADD with this flag", copyHere
		}
		for _, source := range c.SourcePaths {
			if strings.Contains(source, "://") || strings.HasPrefix(source, "git@") {
				return "ADD of a URL", "Download the file before, for example in a hook, and COPY it."
			}
		}
	}
	return "", ""
}
