package buildkit

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/grpchijack"
	"github.com/moby/moby/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Daemon is a BuildKit daemon, alone or in a Docker engine.
type Daemon struct {
	docker  *client.Client // nil for one that runs by itself
	address *url.URL       // of that
	tls     *tls.Config    // for that; nil for none
}

// removalTime is how long the engine may take to drop its copy of an image.
const removalTime = 5 * time.Second

// largest is how long a message of the daemon may be.
const largest = 16 << 20

// InDocker is the BuildKit of a Docker engine, to which the client is connected.
func InDocker(docker *client.Client) *Daemon { return &Daemon{docker: docker} }

// At is the daemon at an address of the form that BUILDKIT_HOST has. Where certs
// is not "", it is the folder with what TLS with a daemon at a tcp address takes.
func At(address, certs string) (*Daemon, error) {
	parsed, err := url.Parse(address)
	switch {
	case err == nil && strings.HasSuffix(parsed.Scheme, "-container"):
		return nil, &diag.Problem{
			Summary: "BuildKit in a container has no address",
			Detail: fmt.Sprintf("%q in the variable BUILDKIT_HOST is reached through the Docker command, which this program does without. "+
				"Publish the daemon's port and write \"tcp://HOST:PORT\", or set engine to \"docker\" for the BuildKit of the Docker engine.", address),
			Attr: "engine",
		}
	case err != nil || parsed.Scheme != "unix" && parsed.Scheme != "tcp" || parsed.Host == "" && parsed.Path == "":
		return nil, &diag.Problem{
			Summary: "Unusable address of BuildKit",
			Detail: fmt.Sprintf("The address %q in the variable BUILDKIT_HOST is not of the form \"unix:///PATH\" or \"tcp://HOST:PORT\". "+
				"Correct it, or choose another engine.", address),
			Attr: "engine",
		}
	}
	d := &Daemon{address: parsed}
	if certs != "" && parsed.Scheme == "tcp" {
		d.tls, err = readTLS(certs, parsed.Hostname())
	}
	return d, err
}

// connect makes the control connection, which opens when it is used.
func (d *Daemon) connect() (*grpc.ClientConn, error) {
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return d.dial(ctx) }
	security := insecure.NewCredentials()
	if d.tls != nil {
		security = credentials.NewTLS(d.tls)
	}
	conn, err := grpc.NewClient("passthrough:///buildkit",
		grpc.WithContextDialer(dial), grpc.WithTransportCredentials(security),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largest), grpc.MaxCallSendMsgSize(largest)))
	if err != nil {
		return nil, fmt.Errorf("connecting to BuildKit: %w", err)
	}
	return conn, nil
}

func (d *Daemon) dial(ctx context.Context) (net.Conn, error) {
	if d.docker != nil {
		return d.docker.DialHijack(ctx, "/grpc", "h2c", nil)
	}
	var dialer net.Dialer
	if d.address.Scheme == "unix" {
		return dialer.DialContext(ctx, "unix", d.address.Path)
	}
	return dialer.DialContext(ctx, "tcp", d.address.Host)
}

// session says how the connection is made on which the daemon calls.
func (d *Daemon) session(control controlapi.ControlClient) session.Dialer {
	if d.docker == nil {
		return grpchijack.Dialer(control)
	}
	return func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
		return d.docker.DialHijack(ctx, "/session", proto, meta)
	}
}

// exporter says how the daemon gives the image away. That of an engine can only
// put it into the engine, where it gets a name of ours.
func (d *Daemon) exporter() (kind string, attrs map[string]string) {
	if d.docker == nil {
		return "docker", map[string]string{}
	}
	return "moby", map[string]string{"name": "deploy-action-build:" + strings.ToLower(rand.Text())}
}

// collect writes the engine's copy of the image to a file, and drops it. The
// engine's build cache keeps what is worth keeping.
func (d *Daemon) collect(ctx context.Context, name string, to *os.File) (err error) {
	if d.docker == nil {
		return nil // the session wrote it
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalTime)
		defer cancel()
		_, left := d.docker.ImageRemove(last, name, client.ImageRemoveOptions{})
		err = errors.Join(err, left)
	}()
	archive, err := d.docker.ImageSave(ctx, []string{name})
	if err != nil {
		return fmt.Errorf("reading the image from the Docker engine: %w", err)
	}
	defer archive.Close()
	if _, err := io.Copy(to, archive); err != nil {
		return fmt.Errorf("reading the image from the Docker engine: %w", err)
	}
	return nil
}
