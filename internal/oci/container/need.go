package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Need says what an engine is for, where there is none.
type Need struct {
	Summary string // of the problem
	Purpose string // a sentence without its period, as in "A command in an image needs a Docker engine"
	Instead string // what else helps, as in "remove the step"
	Attr    string // that asks for it, or ""
}

// Unreachable says why nothing answers at an address, and what helps. The
// client's error names a socket that is missing or closed to us in its text only,
// so this knocks itself.
func (n Need) Unreachable(ctx context.Context, address string, cause error) *diag.Problem {
	remedy := fmt.Sprintf("Start the engine, name another one with the variable DOCKER_HOST, or %s.", n.Instead)
	problem := &diag.Problem{
		Summary: n.Summary,
		Detail:  fmt.Sprintf("%s, and nothing answers at %q. %s", n.Purpose, address, remedy),
		Attr:    n.Attr,
		Err:     cause,
	}
	socket, local := strings.CutPrefix(address, "unix://")
	if !local {
		return problem
	}
	conn, knocked := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	switch {
	case knocked == nil:
		_ = conn.Close() // it was only asked whether it opens
	case errors.Is(knocked, fs.ErrNotExist):
		problem.Detail = fmt.Sprintf("%s, and there is no socket at %q. %s Hosted runners have an engine on Linux only.", n.Purpose, socket, remedy)
	case errors.Is(knocked, fs.ErrPermission):
		problem.Detail = fmt.Sprintf("%s, and this user may not open its socket %q. Add the user to the group that owns the socket, "+
			"usually \"docker\", or run as root.", n.Purpose, socket)
	}
	return problem
}

// Unusable is the problem of an engine's client that cannot be set up.
func Unusable(address string, cause error) *diag.Problem {
	return &diag.Problem{
		Summary: "Unusable settings of a Docker engine",
		Detail: fmt.Sprintf("The address is %q. It comes from the variable DOCKER_HOST and is of the form \"unix:///PATH\" or "+
			"\"tcp://HOST:PORT\"; DOCKER_CERT_PATH and DOCKER_API_VERSION count, too.", address),
		Err: cause,
	}
}
