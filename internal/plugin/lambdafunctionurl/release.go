package lambdafunctionurl

import "github.com/deploy-action/deploy-action/internal/component"

// Release is the alias through which a function is called, with its URL.
type Release struct {
	Function string `json:"function"` // ARN, without a version
	Alias    string `json:"alias"`
	Address  string `json:"url,omitempty"`
}

// URL implements [component.Release].
func (r Release) URL() string { return r.Address }

var _ component.Release = Release{}
