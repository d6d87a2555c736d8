package local

import (
	"fmt"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// PlatformConfig is the body of use "local" in a deploy block.
type PlatformConfig struct {
	// The port on which the app listens, if it cannot be told. Leave it out
	// and let the app listen on the port in its environment variable PORT:
	// every deployment then gets a free one, and a new version can start
	// beside the old one.
	ServicePort int `hcl:"service_port,optional"`

	// Environment variables of the app. Those of the config block win.
	StaticEnvironment map[string]secret.Text `hcl:"static_environment,optional"`

	// The program and its arguments, in place of the image's entrypoint and
	// command.
	Command []string `hcl:"command,optional"`

	// The path that answers GET with a status from 200 to 399 as soon as the
	// app can serve. Without it, a TCP connection that is accepted will do.
	HealthPath string `hcl:"health_path,optional"`

	// How long a new deployment may take until it serves. The default is
	// "30s".
	HealthTimeout string `hcl:"health_timeout,optional"`

	// How long the app may take to end after it was told to, and how long
	// requests in flight are waited for before that. The default is "10s".
	StopTimeout string `hcl:"stop_timeout,optional"`

	// The port on 127.0.0.1 where the released deployment answers. By default
	// a free one is chosen at the first release, and kept.
	FrontPort int `hcl:"front_port,optional"`

	// What the app speaks: "http" (the default) or "tcp".
	Protocol string `hcl:"protocol,optional"`
}

// ReleaserConfig is the body of use "local" in a release block.
type ReleaserConfig struct {
	// The port on 127.0.0.1 where the released deployment answers. By default
	// a free one is chosen at the first release, and kept.
	FrontPort int `hcl:"front_port,optional"`

	// What the app speaks: "http" (the default) or "tcp".
	Protocol string `hcl:"protocol,optional"`
}

// The values of the attribute protocol.
const (
	protocolHTTP = "http"
	protocolTCP  = "tcp"
)

// checkPort returns a problem unless port is 0 or can be listened on.
func checkPort(attr string, port int) error {
	if port >= 0 && port <= 65535 {
		return nil
	}
	return &diag.Problem{
		Summary: "Not a port",
		Detail:  fmt.Sprintf("%d is no port number. Ports go from 1 to 65535; leave %s out to have a free one chosen.", port, attr),
		Attr:    attr,
	}
}

// parseProtocol returns value with its default.
func parseProtocol(value string) (string, error) {
	switch value {
	case "":
		return protocolHTTP, nil
	case protocolHTTP, protocolTCP:
		return value, nil
	}
	return "", &diag.Problem{
		Summary: "Unknown protocol",
		Detail:  fmt.Sprintf("%q is not a protocol that can be forwarded. Write \"http\" or \"tcp\".", value),
		Attr:    "protocol",
	}
}

// parseDuration returns value as a duration, or byDefault where it is empty.
func parseDuration(attr, value string, byDefault time.Duration) (time.Duration, error) {
	if value == "" {
		return byDefault, nil
	}
	d, err := time.ParseDuration(value)
	if err == nil && d > 0 {
		return d, nil
	}
	return 0, &diag.Problem{
		Summary: "Not a duration",
		Detail:  fmt.Sprintf("%q is no duration above zero. Write a number with a unit, such as \"30s\" or \"2m\".", value),
		Attr:    attr,
	}
}

// checkHealthPath returns a problem unless path is empty or can be asked for.
func checkHealthPath(path, protocol string) error {
	switch {
	case path == "":
		return nil
	case protocol == protocolTCP:
		return &diag.Problem{
			Summary: "Health path without HTTP",
			Detail:  "A path can be asked for over HTTP only, and protocol is \"tcp\". Leave health_path out: a connection that is accepted then counts as healthy.",
			Attr:    "health_path",
		}
	case !strings.HasPrefix(path, "/"):
		return &diag.Problem{
			Summary: "Relative health path",
			Detail:  fmt.Sprintf("%q does not begin with a slash. Write it as \"/%s\".", path, path),
			Attr:    "health_path",
		}
	}
	return nil
}
