package buildkit

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build/failure"
)

// explain makes of the daemon's error what the Dockerfile's author should read.
func (d *Daemon) explain(ctx context.Context, board *board, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if status.Code(err) == codes.Unavailable && len(board.steps) == 0 {
		return d.unreachable(err)
	}
	err = grpcerrors.FromGRPC(err)
	at := ""
	for _, source := range errdefs.Sources(err) {
		if len(source.Ranges) > 0 {
			at = fmt.Sprintf("%s:%d: ", board.File, source.Ranges[0].Start.Line)
		}
	}
	if what := refusedRight(err.Error()); what != "" {
		return &diag.Problem{
			Summary: "BuildKit was not given a right that the Dockerfile asks for",
			Detail: fmt.Sprintf("%sBuildKit says: %s. It grants that to builds that ask for it beside the Dockerfile, which this program never "+
				"does. Build with docker buildx and its flag --allow in a step before, and name the image with use \"docker-ref\".", at, what),
			Err: err,
		}
	}
	if line, what := unknownFlag(err.Error()); what != "" {
		return &diag.Problem{
			Summary: "BuildKit does not know a flag of the Dockerfile",
			Detail: fmt.Sprintf("%s:%s: BuildKit says: %s. Where it is no typing error, this BuildKit, or the Docker engine that it is in, is too old "+
				"for it. Begin the Dockerfile with the line \"# syntax=docker/dockerfile:1\", for which it fetches a newer reader of Dockerfiles; update it; "+
				"or build with docker buildx in a step before, and name the image with use \"docker-ref\".", board.File, line, what),
			Err: err,
		}
	}
	if s := board.failed; s != nil && strings.Contains(s.name, " RUN ") {
		if at == "" {
			at = board.find(s.instruction())
		}
		return s.problem(at, err)
	}
	return &diag.Problem{Summary: "The image cannot be built", Detail: fmt.Sprintf("%sBuildKit says: %v.", at, err)}
}

// refusedRight finds in the daemon's words which right of a RUN (--security=insecure,
// --device, --network=host) it does not grant, or "".
func refusedRight(text string) string {
	return regexp.MustCompile(`(?:network\.host|security\.insecure) is not allowed|devices? .* requested by the build but not allowed`).FindString(text)
}

// unknownFlag finds in the daemon's words a flag that it does not know, and the
// line that has it. Docker engine 20.10 has a reader of Dockerfiles to which the
// rights of a RUN are no flags at all.
func unknownFlag(text string) (line, what string) {
	found := regexp.MustCompile(`parse error (?:on )?line (\d+): ([Uu]nknown flag: [\w-]+)`).FindStringSubmatch(text)
	if found == nil {
		return "", ""
	}
	return found[1], found[2]
}

// problem describes a command that did not end well.
func (s *step) problem(at string, err error) error {
	how := "failed: " + s.err
	if code := exitCode(s.err); code != "" {
		how = "ended with exit code " + code
	}
	return failure.OfRun(at+s.instruction(), how, &s.last, err)
}

// instruction is a step's name without its number.
func (s *step) instruction() string {
	_, text, _ := strings.Cut(s.name, "] ")
	return text
}

// find returns the line that an instruction begins on, as messages begin, for
// daemons that do not tell it. It is "" unless exactly one line fits.
func (b *board) find(instruction string) string {
	found := ""
	for i, line := range strings.Split(string(b.Content), "\n") {
		begin := strings.Join(strings.Fields(strings.TrimSuffix(strings.TrimSpace(line), "\\")), " ")
		if !strings.HasPrefix(begin, "RUN ") || !strings.HasPrefix(strings.Join(strings.Fields(instruction), " "), begin) {
			continue
		}
		if found != "" {
			return ""
		}
		found = fmt.Sprintf("%s:%d: ", b.File, i+1)
	}
	return found
}

// exitCode finds the status of a command in the daemon's words, or "".
func exitCode(text string) string {
	if found := regexp.MustCompile(`exit code: (\d+)`).FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

func (d *Daemon) unreachable(err error) error {
	if d.docker != nil {
		return &diag.Problem{
			Summary: "No BuildKit in the Docker engine",
			Detail:  "The Docker engine does not let its BuildKit be used. It must be of version 20.10 or later; or choose another engine.",
			Attr:    "engine",
			Err:     err,
		}
	}
	return &diag.Problem{
		Summary: "BuildKit not reachable",
		Detail: fmt.Sprintf("Nothing answers at %q, which the variable BUILDKIT_HOST names. Start the daemon, correct the variable, "+
			"or choose another engine.", d.address.Redacted()),
		Attr: "engine",
		Err:  err,
	}
}
