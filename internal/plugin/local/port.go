package local

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// Ports are chosen below the range from which systems take ports for outgoing
// connections, so that none of those is in the way when an app starts again.
const (
	lowestPort = 20000
	portCount  = 12000
)

// freePort returns a port of the loopback interface on which nobody listens.
func freePort() (int, error) {
	for range 200 {
		port := lowestPort + rand.N(portCount)
		if portFree(port) {
			return port, nil
		}
	}
	return 0, errors.New("choosing a port: 200 ports that were tried are all in use")
}

// portWait is how long a given port may stay in use before it counts as taken.
// The kernel closes the files of a killed process one after the other, so its
// lock can be gone while its port is not yet; and somebody who looks for a free
// port holds each that he tries for an instant.
const portWait = 2 * time.Second

// portBecomesFree reports whether port can be listened on, now or within portWait.
func portBecomesFree(ctx context.Context, port int) bool {
	limited, cancel := context.WithTimeout(ctx, portWait)
	defer cancel()
	return retry.Poll(limited, daemonPoll, func(context.Context) (bool, error) { return portFree(port), nil }) == nil
}

// portFree reports whether port can be listened on.
func portFree(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
