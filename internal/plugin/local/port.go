package local

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
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

// portFree reports whether port can be listened on.
func portFree(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
