package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

const (
	// pollInterval is the pause between two looks at a starting container.
	pollInterval = 250 * time.Millisecond

	// steadyTime is how long a container must run to count as serving where
	// nothing else can be learned about it.
	steadyTime = 5 * time.Second

	// patience is how long a container may run without serving.
	patience = 10 * time.Minute

	// dialTime is how long a connection may take, and idleTime how long it
	// must stay open to count.
	dialTime = time.Second
	idleTime = 200 * time.Millisecond
)

// errPatience ends the wait for a container that runs but does not serve.
var errPatience = errors.New("no progress for " + patience.String())

// await waits until the container of a deployment serves, and returns its
// address. It serves when its own health check says so; without one, when its
// port takes connections; and where the port cannot be reached from here, when
// it has been running for a short while.
func (p *platform) await(ctx context.Context, app component.App, id string, step component.Step) (address string, err error) {
	c, err := p.find(ctx, app, id)
	if err != nil {
		return "", err
	}
	if c == nil {
		return "", fmt.Errorf("waiting for container %q: it is gone", id)
	}
	w := wait{platform: p, step: step, port: p.servicePort(), began: time.Now()}
	waiting, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	err = retry.Poll(waiting, pollInterval, func(ctx context.Context) (bool, error) {
		c, err := p.inspect(ctx, c.ID)
		if err != nil {
			return false, err
		}
		if c == nil {
			return false, fmt.Errorf("waiting for container %q: it was removed", id)
		}
		address = p.address(c)
		return w.look(ctx, c)
	})
	if errors.Is(err, errPatience) {
		return address, w.stalled()
	}
	return address, err
}

// wait is one wait for a container.
type wait struct {
	platform *platform
	step     component.Step
	port     int
	began    time.Time
	closed   bool // the port was reached and nothing listens
	checking bool // it has a health check that goes before everything else
}

// look reports whether the container serves by now.
func (w *wait) look(ctx context.Context, c *container.InspectResponse) (done bool, err error) {
	if !c.State.Running {
		return false, ended(c)
	}
	if health := c.State.Health; health != nil && health.Status != container.NoHealthcheck {
		switch health.Status {
		case container.Healthy:
			return true, nil
		case container.Unhealthy:
			return false, unhealthy(health)
		}
		w.checking = true
		w.step.Update("its health check has not passed yet")
		return false, nil
	}
	if w.port == 0 {
		return time.Since(w.began) >= steadyTime, nil
	}
	switch w.platform.probe(ctx, c) {
	case serving:
		return true, nil
	case closed:
		w.closed = true
		w.step.Update("nothing listens at port %d yet", w.port)
		return false, nil
	}
	if w.closed || time.Since(w.began) < steadyTime {
		return false, nil
	}
	w.step.Update("port %d cannot be reached from here; the container has been running for %s", w.port, steadyTime)
	return true, nil
}

// stalled says what the wait was for.
func (w *wait) stalled() error {
	if w.checking {
		return &diag.Problem{
			Summary: "Container is not healthy",
			Detail: fmt.Sprintf("The container runs, but in %s its image's health check has neither passed nor failed for good. "+
				"Shorten the check's start period, or make the app ready sooner.", patience),
			Err: errPatience,
		}
	}
	return &diag.Problem{
		Summary: "Container does not serve",
		Detail: fmt.Sprintf("The container runs, but for %s nothing listened at port %d. Make the app listen at the port "+
			"in the variable PORT on all addresses, not on loopback only, or set service_port to the port it uses. "+
			"For a process that serves nothing, set service_port = 0.", patience, w.port),
		Attr: "service_port",
		Err:  errPatience,
	}
}

// unhealthy repeats what the health check said last.
func unhealthy(health *container.Health) error {
	detail := "The image's health check failed more often than it allows. The app must pass it before it gets traffic."
	if n := len(health.Log); n > 0 {
		detail += fmt.Sprintf("\n\nIts last result was status %d:\n  %s", health.Log[n-1].ExitCode,
			strings.ReplaceAll(strings.TrimSpace(health.Log[n-1].Output), "\n", "\n  "))
	}
	return &diag.Problem{Summary: "Container is not healthy", Detail: detail}
}

// ended says why a container stopped. What it wrote is asked for by the engine.
func ended(c *container.InspectResponse) error {
	detail := fmt.Sprintf("The container %s %s. It must keep running.", strings.TrimPrefix(c.Name, "/"), howItEnded(c.State))
	if c.State.OOMKilled {
		detail += " Give it more memory with resources."
	}
	return &diag.Problem{Summary: "Container stopped", Detail: detail}
}

// reach is how a port looks from here.
type reach int

const (
	unseen  reach = iota // it cannot be told whether anything listens
	closed               // reached, and nothing listens
	serving              // a connection stays open
)

// probe tries every way to the service port at once and returns the best
// answer: the published port, and on this machine's engine the container's own
// addresses, which a container beside it may reach although published ports
// are closed to it.
func (p *platform) probe(ctx context.Context, c *container.InspectResponse) reach {
	results := make(chan reach)
	tries := 0
	try := func(address string, published bool) {
		tries++
		go func() { results <- dial(ctx, address, published, p.engine.remote != "") }()
	}
	if address := p.address(c); address != "" {
		try(address, true)
	}
	if p.engine.remote == "" {
		for _, endpoint := range c.NetworkSettings.Networks {
			if ip := endpoint.IPAddress; ip.IsValid() {
				try(netip.AddrPortFrom(ip, uint16(p.servicePort())).String(), false)
			}
		}
	}
	best := unseen
	for range tries {
		best = max(best, <-results)
	}
	return best
}

// dial tries one address. A published port may be a proxy of the engine, which
// takes every connection and drops it when nothing listens behind; so there a
// connection counts only if it stays open. A refused one says nothing on this
// machine, for we may be in a container with a loopback address of our own.
func dial(ctx context.Context, address string, published, remote bool) reach {
	dialer := net.Dialer{Timeout: dialTime}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) && (remote || !published) {
			return closed
		}
		return unseen
	}
	defer conn.Close()
	if !published {
		return serving
	}
	if err := conn.SetReadDeadline(time.Now().Add(idleTime)); err != nil {
		return unseen
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return serving
	}
	return closed
}

// address returns where the engine publishes the service port of a container,
// or "".
func (p *platform) address(c *container.InspectResponse) string {
	port, ok := tcp(p.servicePort())
	if !ok || c.NetworkSettings == nil {
		return ""
	}
	for _, binding := range c.NetworkSettings.Ports[port] {
		if number, err := strconv.Atoi(binding.HostPort); err == nil && number > 0 {
			return p.publishedAt(number)
		}
	}
	return ""
}

// publishedAt returns the address of a port of the engine's machine.
func (p *platform) publishedAt(port int) string {
	host := "127.0.0.1"
	if p.engine.remote != "" {
		host = p.engine.remote
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
