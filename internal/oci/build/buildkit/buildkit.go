// Package buildkit has a BuildKit daemon build an image: the one in a Docker
// engine, or one that runs by itself. The daemon is sent the build context as
// it asks for it, and the image comes back into a layout, so that whoever reads
// it need not know who built it.
//
// The protocol is BuildKit's own: a control connection for the build and its
// progress, and a session through which the daemon calls back for files, logins
// and secrets.
package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/session"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Request says what to build.
type Request struct {
	File    string // name of the Dockerfile, for messages
	Content []byte // of the Dockerfile
	Context files.View

	Target   string
	Args     map[string]string
	Labels   map[string]string
	Secrets  map[string]secret.Text
	Platform string
	NoCache  bool
	Times    files.Times // of the context's files; what a command writes has the time when it did

	Layout *oci.Layout     // where the image goes
	Logins oci.Credentials // for base images
	Work   string          // an existing folder for the image on its way

	Progress func(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error
}

// statusTime is how long the end of the progress may take after the build.
const statusTime = 5 * time.Second

// Build builds an image and returns its digest and its configuration's
// architecture. What the Dockerfile's author can mend is a problem that names
// the line, where the daemon tells it.
func Build(ctx context.Context, d *Daemon, req Request) (digest, architecture string, err error) {
	conn, err := d.connect()
	if err != nil {
		return "", "", err
	}
	defer conn.Close()
	control := controlapi.NewControlClient(conn)
	file, err := os.CreateTemp(req.Work, "image-")
	if err != nil {
		return "", "", fmt.Errorf("making a file for the image: %w", err)
	}
	defer os.Remove(file.Name()) // nobody reads it any more
	defer file.Close()

	// A key of its own keeps the daemon from taking files of an earlier build
	// for those of the same size and time.
	calls, err := session.NewSession(ctx, identity.NewID())
	if err != nil {
		return "", "", fmt.Errorf("opening a session with BuildKit: %w", err)
	}
	calls.Allow(newFileSync(req))
	calls.Allow(&fileSend{to: file})
	calls.Allow(logins{credentials: req.Logins})
	calls.Allow(secretStore{texts: req.Secrets})

	kind, attrs := d.exporter()
	order := &controlapi.SolveRequest{
		Ref: identity.NewID(), Session: calls.ID(), Cache: &controlapi.CacheOptions{},
		Frontend: "dockerfile.v0", FrontendAttrs: attributes(req),
		Exporters: []*controlapi.Exporter{{Type: kind, Attrs: attrs}},
		// Daemons before version 0.13 know only these.
		ExporterDeprecated: kind, ExporterAttrsDeprecated: attrs,
	}
	board := newBoard(req)
	if err := solve(ctx, d, control, calls, order, board); err != nil {
		return "", "", d.explain(ctx, board, err)
	}
	if err := d.collect(ctx, attrs["name"], file); err != nil {
		return "", "", err
	}
	return add(ctx, req, file.Name())
}

// solve sends the order and follows it to its end.
func solve(ctx context.Context, d *Daemon, control controlapi.ControlClient, calls *session.Session, order *controlapi.SolveRequest, board *board) error {
	following, stop := context.WithCancel(ctx)
	defer stop()
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return calls.Run(following, d.session(control)) })
	group.Go(func() error {
		defer board.end()
		if err := follow(following, control, order.Ref, board); err != nil && following.Err() == nil {
			return fmt.Errorf("following the build: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		defer time.AfterFunc(statusTime, stop)
		defer calls.Close()
		_, err := control.Solve(inner, order)
		return err
	})
	return group.Wait()
}

// follow shows the daemon's progress.
func follow(ctx context.Context, control controlapi.ControlClient, ref string, board *board) error {
	stream, err := control.Status(ctx, &controlapi.StatusRequest{Ref: ref})
	for err == nil {
		var status *controlapi.StatusResponse
		if status, err = stream.Recv(); err == nil {
			board.show(ctx, status)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// attributes are the settings of BuildKit's reader of Dockerfiles.
func attributes(req Request) map[string]string {
	attrs := map[string]string{"filename": dockerfileName, "platform": req.Platform}
	if req.Target != "" {
		attrs["target"] = req.Target
	}
	if req.NoCache {
		attrs["no-cache"] = ""
	}
	if !req.Times.Keep {
		attrs["build-arg:SOURCE_DATE_EPOCH"] = strconv.FormatInt(req.Times.Fixed.Unix(), 10)
	}
	for name, value := range req.Args {
		attrs["build-arg:"+name] = value
		if strings.HasSuffix(name, "_PROXY") {
			attrs["build-arg:"+strings.ToLower(name)] = value
		}
	}
	for name, value := range req.Labels {
		attrs["label:"+name] = value
	}
	return attrs
}
