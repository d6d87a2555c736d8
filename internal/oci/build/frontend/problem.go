package frontend

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// known is every instruction, for suggestions.
var known = []string{
	"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
	"ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}

// checkStart reports a file that does not begin with FROM, of which the
// conversion says only that there is no stage.
func checkStart(req Request) error {
	if len(bytes.TrimSpace(req.Content)) == 0 {
		return noFrom(req, 1)
	}
	parsed, err := parser.Parse(bytes.NewReader(req.Content))
	if err != nil {
		return problem(req, err)
	}
	line := 1
	for _, node := range parsed.AST.Children {
		line = node.StartLine
		switch name := strings.ToUpper(node.Value); {
		case name == "FROM":
			return checkTarget(req, parsed.AST)
		case !slices.Contains(known, name):
			return nil
		case name != "ARG":
			return noFrom(req, line)
		}
	}
	return noFrom(req, line)
}

// checkTarget reports a stage that is asked for and not there. It is no business
// of any line.
func checkTarget(req Request, ast *parser.Node) error {
	stages, _, err := instructions.Parse(ast, nil)
	if err != nil || req.Target == "" {
		return nil // the conversion has more to say about the error
	}
	if _, ok := instructions.HasStage(stages, req.Target); ok {
		return nil
	}
	if n, err := strconv.Atoi(req.Target); err == nil && n >= 0 && n < len(stages) {
		return nil
	}
	var names []string
	for _, s := range stages {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return &diag.Problem{
		Summary: "No such stage",
		Detail:  fmt.Sprintf("%s has no stage %q.%s", req.Name, req.Target, diag.Suggest(req.Target, names)),
		Attr:    "target",
	}
}

func noFrom(req Request, line int) error {
	return at(req, line, "Dockerfile without FROM",
		"Only ARG may stand before FROM and the image to build on. Begin with FROM scratch for an image of your files alone.")
}

// at describes something wrong at a line.
func at(req Request, line int, summary, detail string) *diag.Problem {
	return &diag.Problem{Summary: summary, Detail: fmt.Sprintf("%s:%d: %s", req.Name, line, detail)}
}

// problem describes why a Dockerfile cannot be converted. The conversion's
// message repeats the line, which the problem names already.
func problem(req Request, err error) error {
	line := 1
	if located, ok := errors.AsType[*parser.LocationError](err); ok && len(located.Locations) > 0 {
		line = lineOf(located.Locations[0])
	}
	if about, ok := errors.AsType[*resolveError](err); ok {
		return baseProblem(req, line, about.error)
	}
	if unknown, ok := errors.AsType[*instructions.UnknownInstructionError](err); ok {
		detail := fmt.Sprintf("There is no instruction %q.%s", unknown.Instruction, diag.Suggest(strings.ToUpper(unknown.Instruction), known))
		return at(req, max(line, unknown.Line), "Invalid Dockerfile", detail)
	}
	reason := err.Error()
	if _, rest, ok := strings.Cut(reason, fmt.Sprintf("parse error on line %d: ", line)); ok {
		reason = rest
	}
	return at(req, line, "Invalid Dockerfile", strings.ToUpper(reason[:1])+reason[1:]+".")
}

// baseProblem says which line asks for an image that cannot be had.
func baseProblem(req Request, line int, err error) error {
	p, ok := errors.AsType[*diag.Problem](err)
	if !ok {
		return fmt.Errorf("%s:%d: %w", req.Name, line, err)
	}
	located := *p
	located.Detail = fmt.Sprintf("%s:%d: %s", req.Name, line, p.Detail)
	return &located
}

func lineOf(location []parser.Range) int {
	if len(location) == 0 {
		return 1
	}
	return max(1, location[0].Start.Line) // an empty file has an error in line 0
}
