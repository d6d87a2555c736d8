package pack

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	specs "github.com/opencontainers/image-spec/specs-go/v1"

	ours "github.com/deploy-action/deploy-action/internal/oci/container"
)

// engine is a Docker engine as pack sees it. It mends what pack's own use of one
// leaves open.
type engine struct {
	*client.Client

	address string

	mu      sync.Mutex
	outputs map[string]chan struct{} // of containers, by ID: closed when all was read
	status  int64                    // of the container that ended last
}

const (
	outputTime  = 10 * time.Second // for what an ended container still has to say
	removalTime = 5 * time.Second
)

// openEngine connects to the engine that the variable DOCKER_HOST names, or
// else to the one of this machine. That there is none is a problem. The caller
// closes the engine.
func openEngine(ctx context.Context, getenv func(string) string) (*engine, error) {
	e := &engine{address: cmp.Or(getenv(client.EnvOverrideHost), client.DefaultDockerHost), outputs: map[string]chan struct{}{}}
	options := []client.Opt{client.WithAPIVersionNegotiation()}
	if version := getenv(client.EnvOverrideAPIVersion); version != "" {
		options = append(options, client.WithVersion(version)) // and nothing is negotiated
	}
	if folder := getenv(client.EnvOverrideCertPath); folder != "" {
		options = append(options, client.WithTLSClientConfig(
			filepath.Join(folder, "ca.pem"), filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")))
	}
	var err error
	if e.Client, err = client.NewClientWithOpts(append(options, client.WithHost(e.address))...); err != nil {
		return nil, ours.Unusable(e.address, err)
	}
	if _, err := e.Ping(ctx); err != nil {
		_ = e.Close() // it was never connected
		return nil, e.unreachable(ctx, err)
	}
	return e, nil
}

// unreachable says why there is no connection.
func (e *engine) unreachable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !client.IsErrConnectionFailed(err):
		return fmt.Errorf("connecting to the Docker engine: %w", err)
	}
	return ours.Need{
		Summary: "Buildpacks need a Docker engine", Purpose: "Buildpacks run in containers of a Docker engine",
		Instead: "write a Dockerfile, and build it with use \"docker\", which needs no engine",
	}.Unreachable(ctx, e.address, err)
}

// socket is the address of the engine for the containers that talk to it. Where
// the engine is reached over the network, they use the socket of its machine.
func (e *engine) socket() string {
	if strings.HasPrefix(e.address, "unix://") {
		return e.address
	}
	return ""
}

// ContainerCreate creates a container in which no program gains rights.
func (e *engine) ContainerCreate(
	ctx context.Context, config *container.Config, host *container.HostConfig, net *network.NetworkingConfig, platform *specs.Platform, name string,
) (container.CreateResponse, error) {
	const noGain = "no-new-privileges=true" // which pack leaves out where the engine can be reached
	if host != nil && !slices.Contains(host.SecurityOpt, noGain) {
		host.SecurityOpt = append(host.SecurityOpt, noGain)
	}
	return e.Client.ContainerCreate(ctx, config, host, net, platform, name)
}

// NetworkRemove removes a network also when the build was interrupted. An
// engine has addresses for a few dozen only.
func (e *engine) NetworkRemove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalTime)
	defer cancel()
	return e.Client.NetworkRemove(ctx, name)
}

// ContainerAttach notes when all of the container's output was read.
func (e *engine) ContainerAttach(ctx context.Context, id string, options container.AttachOptions) (types.HijackedResponse, error) {
	response, err := e.Client.ContainerAttach(ctx, id, options)
	if err == nil {
		read := e.output(id)
		response.Reader = bufio.NewReader(&noticingReader{from: response.Reader, ended: sync.OnceFunc(func() { close(read) })})
	}
	return response, err
}

// ContainerWait waits for the end of a container and of its output. Pack takes
// an error as soon as it hears of it, and would miss what was said last.
func (e *engine) ContainerWait(ctx context.Context, id string, condition container.WaitCondition) (<-chan container.WaitResponse, <-chan error) {
	ended, failed := e.Client.ContainerWait(ctx, id, condition)
	late := make(chan container.WaitResponse, 1)
	go func() {
		select {
		case <-ctx.Done():
		case response := <-ended:
			e.await(ctx, id)
			e.mu.Lock()
			e.status = response.StatusCode
			e.mu.Unlock()
			late <- response
		}
	}()
	return late, failed
}

// await waits until a container's output was read.
func (e *engine) await(ctx context.Context, id string) {
	timer := time.NewTimer(outputTime)
	defer timer.Stop()
	select {
	case <-e.output(id):
	case <-ctx.Done():
	case <-timer.C:
	}
}

// output is closed when all output of a container was read.
func (e *engine) output(id string) chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.outputs[id] == nil {
		e.outputs[id] = make(chan struct{})
	}
	return e.outputs[id]
}

// lastStatus is that of the container that ended last.
func (e *engine) lastStatus() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status
}

// noticingReader calls ended when there is nothing more to read.
type noticingReader struct {
	from  io.Reader
	ended func()
}

// Read implements [io.Reader].
func (r *noticingReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil {
		r.ended()
	}
	return n, err
}
