package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"

	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// engine is a Docker engine.
type engine struct {
	*client.Client

	remote  string // its address where it is another machine, else ""
	address string // as it was given
}

// openEngine makes a client for the engine that c and the environment name. It
// sends nothing.
func openEngine(getenv func(string) string, c ClientConfig) (*engine, error) {
	address := cmp.Or(c.Host, getenv(client.EnvOverrideHost), client.DefaultDockerHost)
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "unix" && parsed.Scheme != "tcp" && parsed.Scheme != "npipe" {
		return nil, &diag.Problem{
			Summary: "Unusable address of a Docker engine",
			Detail: fmt.Sprintf("The address %q is not of the form \"unix:///PATH\" or \"tcp://HOST:PORT\". It comes "+
				"from client_config or the variable DOCKER_HOST.", address),
			Attr: "client_config.host",
		}
	}
	opts := []client.Opt{client.WithAPIVersion(cmp.Or(c.APIVersion, getenv(client.EnvOverrideAPIVersion)))}
	if folder := cmp.Or(c.CertPath, getenv(client.EnvOverrideCertPath)); folder != "" {
		opts = append(opts, client.WithTLSClientConfig(
			filepath.Join(folder, "ca.pem"), filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")))
	}
	docker, err := client.New(append(opts, client.WithHost(address))...)
	if err != nil {
		return nil, &diag.Problem{
			Summary: "Unusable settings of a Docker engine",
			Detail:  "The client cannot be set up with the values of client_config and the variables DOCKER_HOST, DOCKER_CERT_PATH and DOCKER_API_VERSION.",
			Attr:    "client_config",
			Err:     err,
		}
	}
	return &engine{Client: docker, address: address, remote: remoteHost(parsed)}, nil
}

// remoteHost returns the host of an engine on another machine, or "".
func remoteHost(address *url.URL) string {
	host := address.Hostname()
	ip, err := netip.ParseAddr(host)
	if address.Scheme != "tcp" || host == "localhost" || err == nil && ip.IsLoopback() {
		return ""
	}
	return host
}

// connect settles on a version of the API. Without it a request to an engine
// that is down would be reported as one of the wrong version.
func (e *engine) connect(ctx context.Context) error {
	_, err := e.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	return e.explain(ctx, "connecting to the Docker engine", err)
}

// explain makes of an error of the client what the user should read.
func (e *engine) explain(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case client.IsErrConnectionFailed(err):
		return e.unreachable(ctx, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// unreachable says why there is no connection. The client's error names a
// socket that is missing or closed to us in its text only, so this knocks
// itself.
func (e *engine) unreachable(ctx context.Context, err error) error {
	problem := &diag.Problem{
		Summary: "Docker engine not reachable",
		Detail: fmt.Sprintf("Nothing answers at %q. Start the Docker engine, or name another one with client_config "+
			"or the variable DOCKER_HOST.", e.address),
		Attr: "client_config.host",
		Err:  err,
	}
	parsed, parseErr := url.Parse(e.address)
	if parseErr != nil || parsed.Scheme != "unix" {
		return problem
	}
	conn, knockErr := (&net.Dialer{}).DialContext(ctx, "unix", parsed.Path)
	if knockErr == nil {
		_ = conn.Close() // it was only asked whether it opens
		return problem
	}
	switch {
	case errors.Is(knockErr, fs.ErrNotExist):
		problem.Detail = fmt.Sprintf("There is no socket at %q. Start the Docker engine, or name another one with "+
			"client_config or the variable DOCKER_HOST. Hosted runners have an engine on Linux only.", parsed.Path)
	case errors.Is(knockErr, fs.ErrPermission):
		problem.Detail = fmt.Sprintf("This user may not open the socket at %q. Add the user to the group that owns "+
			"the socket, usually \"docker\", or run as root.", parsed.Path)
	}
	return problem
}
