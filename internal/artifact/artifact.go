// Package artifact defines what a build can produce.
//
// The set of kinds is closed on purpose: builders, registries and platforms
// that agree on a kind work together without knowing one another. A new kind
// is a change to this package and its codec.
package artifact

import (
	"context"
	"encoding/json"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// Artifact is the output of a build: an [Image], [Files], a [MachineImage],
// [None], or [Opaque] when an external plugin made it.
//
// Artifacts are plain data. They survive a JSON round trip and are never
// changed once returned.
type Artifact interface {
	// Vars returns what configuration reads as artifact.NAME in the stages
	// that follow. Its keys are the same for every value of a type, but for
	// Opaque.
	Vars() map[string]cty.Value

	sealed()
}

// Image is a container image, either still local or in a registry.
type Image struct {
	Repository string `json:"repository"`       // without tag or digest
	Tag        string `json:"tag,omitempty"`    // as asked for; may move
	Digest     string `json:"digest,omitempty"` // sha256:…; set as soon as it is known
	Layout     string `json:"layout,omitempty"` // OCI layout folder while not yet pushed
	Daemon     bool   `json:"daemon,omitempty"` // only in the local Docker engine; not yet pushed

	Architecture string `json:"architecture,omitempty"` // "amd64"; "" for an index
}

// Local reports whether the image can be reached only from this machine.
func (i Image) Local() bool { return i.Layout != "" || i.Daemon }

// Reference returns the image as platforms and people write it:
// repository[:tag][@digest].
func (i Image) Reference() string {
	ref := i.Repository
	if i.Tag != "" {
		ref += ":" + i.Tag
	}
	if i.Digest != "" {
		ref += "@" + i.Digest
	}
	return ref
}

// Vars implements [Artifact]. The names image, tag, architecture and location
// are those of Waypoint's docker.Image; repository, digest and reference are
// ours.
func (i Image) Vars() map[string]cty.Value {
	location := "registry"
	if i.Local() {
		location = "docker"
	}
	return map[string]cty.Value{
		"image":        cty.StringVal(i.Repository),
		"repository":   cty.StringVal(i.Repository),
		"tag":          cty.StringVal(i.Tag),
		"digest":       cty.StringVal(i.Digest),
		"reference":    cty.StringVal(i.Reference()),
		"architecture": cty.StringVal(i.Architecture),
		"location":     cty.StringVal(location),
	}
}

// Files is a folder of built files.
type Files struct {
	Path string `json:"path"` // absolute in the job, relative in a record
}

// Vars implements [Artifact].
func (f Files) Vars() map[string]cty.Value {
	return map[string]cty.Value{"path": cty.StringVal(f.Path)}
}

// MachineImage is a virtual machine image known to a cloud.
type MachineImage struct {
	ID     string `json:"id"`
	Region string `json:"region,omitempty"`
}

// Vars implements [Artifact].
func (m MachineImage) Vars() map[string]cty.Value {
	return map[string]cty.Value{
		"image":  cty.StringVal(m.ID),
		"id":     cty.StringVal(m.ID),
		"region": cty.StringVal(m.Region),
	}
}

// None is the artifact of a build that makes nothing.
type None struct{}

// Vars implements [Artifact].
func (None) Vars() map[string]cty.Value { return map[string]cty.Value{} }

// Opaque is an artifact only the external plugin that made it understands.
type Opaque struct {
	Type   string            `json:"type"`           // protobuf message name
	Value  []byte            `json:"value"`          // its encoding
	Data   json.RawMessage   `json:"data,omitempty"` // what configuration reads as artifact.NAME
	Labels map[string]string `json:"labels,omitempty"`
}

// Vars implements [Artifact]. Data that is no JSON object has no variables.
func (o Opaque) Vars() map[string]cty.Value {
	ty, err := ctyjson.ImpliedType(o.Data)
	if err != nil || !ty.IsObjectType() {
		return map[string]cty.Value{}
	}
	v, err := ctyjson.Unmarshal(o.Data, ty)
	if err != nil || v.LengthInt() == 0 {
		return map[string]cty.Value{}
	}
	return v.AsValueMap()
}

func (Image) sealed()        {}
func (Files) sealed()        {}
func (MachineImage) sealed() {}
func (None) sealed()         {}
func (Opaque) sealed()       {}

// Repository is a place for images and the way to sign in to it.
type Repository struct {
	Name     string // host/path
	Insecure bool   // plain HTTP
	Tag      string // which an image gets there next; "" where that is not known

	// Login is asked when needed, and renews. It is nil where nobody signs in.
	Login func(context.Context) (user string, password secret.Text, err error)
}
