package docker

import "github.com/zclconf/go-cty/cty"

// Deployment is one container.
type Deployment struct {
	Name    string `json:"name"`              // of the container, which is the deployment's ID
	Engine  string `json:"engine,omitempty"`  // where it runs; "" for this machine's engine
	Address string `json:"address,omitempty"` // host:port where it serves; "" for one that does not
}

// Vars implements [component.Deployment].
func (d Deployment) Vars() map[string]cty.Value {
	return map[string]cty.Value{
		"name":    cty.StringVal(d.Name),
		"address": cty.StringVal(d.Address),
	}
}

// URL implements [component.Deployment].
func (d Deployment) URL() string {
	if d.Address == "" {
		return ""
	}
	return "http://" + d.Address
}

// Generation implements [component.Deployment]: every container is its own.
func (Deployment) Generation() string { return "" }
