package local

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Deployment is what the platform remembers. Its folder follows from the app
// and the ID, so that nothing here depends on where this machine keeps it.
type Deployment struct {
	ID       string `json:"id"`
	Port     int    `json:"port,omitempty"` // on 127.0.0.1
	Protocol string `json:"protocol,omitempty"`
}

var _ component.Deployment = Deployment{}

// Vars implements [component.Deployment].
func (d Deployment) Vars() map[string]cty.Value {
	return map[string]cty.Value{
		"id":   cty.StringVal(d.ID),
		"url":  cty.StringVal(d.URL()),
		"port": cty.NumberIntVal(int64(d.Port)),
	}
}

// URL implements [component.Deployment].
func (d Deployment) URL() string { return loopbackURL(d.Protocol, d.Port) }

// Generation implements [component.Deployment]: every deployment is a process
// of its own.
func (Deployment) Generation() string { return "" }

// Release is what the releaser remembers.
type Release struct {
	Port     int    `json:"port"` // of the front, on 127.0.0.1
	Protocol string `json:"protocol"`
}

// URL implements [component.Release].
func (r Release) URL() string { return loopbackURL(r.Protocol, r.Port) }

// loopbackURL is "" until there is a port.
func loopbackURL(protocol string, port int) string {
	if port == 0 {
		return ""
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", protocol, port)
}
