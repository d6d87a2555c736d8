package component

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// Decode reads a use block into *C. It is gohcl.DecodeBody with secrets
// unmarked on the way; package config supplies it.
type Decode func(into any) hcl.Diagnostics

// The erased forms: the same interfaces at their widest types. The engine uses
// these only, and external plugins implement them directly. A [Sourcer] has no
// types to erase.
type (
	AnyBuilder  = Builder[artifact.Artifact]
	AnyRegistry = Registry[artifact.Artifact]
	AnyPlatform = Platform[artifact.Artifact, Deployment]
	AnyReleaser = Releaser[Deployment, Release]
)

// spec is what the specs of all kinds share: T is the erased form.
type spec[T any] struct {
	config func() any
	open   func(Host, Decode) (T, hcl.Diagnostics, error)
}

// Config returns a pointer to the zero configuration: for the reference and
// for early validation. It is nil for a component whose configuration is known
// only when it runs.
func (s *spec[T]) Config() any {
	if s.config == nil {
		return nil
	}
	return s.config()
}

// Open configures the component. It touches no network.
func (s *spec[T]) Open(h Host, d Decode) (T, hcl.Diagnostics, error) { return s.open(h, d) }

// newSpec makes a spec from a typed constructor and the erasure of its result.
func newSpec[C, T, E any](open func(Host, C) (T, error), erase func(T) E) spec[E] {
	return spec[E]{
		config: func() any { return new(C) },
		open: func(h Host, decode Decode) (E, hcl.Diagnostics, error) {
			var (
				config C
				none   E
			)
			diags := decode(&config)
			if diags.HasErrors() {
				return none, diags, nil
			}
			typed, err := open(h, config)
			if err != nil {
				return none, diags, err
			}
			return erase(typed), diags, nil
		},
	}
}

// BuilderSpec is a [Builder] that has not been configured yet.
type BuilderSpec struct {
	spec[AnyBuilder]
	makes artifact.Artifact // a zero value of what it makes; nil when unknown
}

// RegistrySpec is a [Registry] that has not been configured yet.
type RegistrySpec struct {
	spec[AnyRegistry]
	accepts func(artifact.Artifact) bool
	makes   artifact.Artifact // a zero value of what it makes; nil when unknown
}

// PlatformSpec is a [Platform] that has not been configured yet. Config and
// engine reach it only through its methods.
type PlatformSpec struct {
	spec[AnyPlatform]
	accepts func(artifact.Artifact) bool
	makes   Deployment // a zero value of what it makes; nil when unknown
	load    func(json.RawMessage) (Deployment, error)
}

// ReleaserSpec is a [Releaser] that has not been configured yet.
type ReleaserSpec struct {
	spec[AnyReleaser]
	accepts func(Deployment) bool
	load    func(json.RawMessage) (Release, error)
}

// SourcerSpec is a [Sourcer] that has not been configured yet.
type SourcerSpec struct{ spec[Sourcer] }

// Load reads a recorded deployment.
func (s *PlatformSpec) Load(raw json.RawMessage) (Deployment, error) { return s.load(raw) }

// Load reads a recorded release.
func (s *ReleaserSpec) Load(raw json.RawMessage) (Release, error) { return s.load(raw) }

// Only narrows a platform of artifact.Artifact to some kinds (aws-lambda:
// Image, Files).
func (s *PlatformSpec) Only(kinds ...artifact.Artifact) *PlatformSpec {
	narrowed := *s
	narrowed.accepts = func(a artifact.Artifact) bool {
		for _, kind := range kinds {
			if kindOf(kind) == kindOf(a) {
				return true
			}
		}
		return false
	}
	return &narrowed
}

// kindOf names an artifact's kind for messages and comparison.
func kindOf(a artifact.Artifact) string {
	switch a.(type) {
	case artifact.Image:
		return "a container image"
	case artifact.Files:
		return "a folder of files"
	case artifact.MachineImage:
		return "a machine image"
	case artifact.None:
		return "nothing"
	}
	return "an external plugin's artifact"
}

// NewBuilder declares a builder. The function open makes one from decoded
// configuration; it checks what a type cannot say and touches no network. So
// it is for the other kinds.
func NewBuilder[C any, A artifact.Artifact](open func(Host, C) (Builder[A], error)) *BuilderSpec {
	var made A
	return &BuilderSpec{newSpec(open, func(b Builder[A]) AnyBuilder { return erasedBuilder[A]{b} }), made}
}

// NewRegistry declares a registry.
func NewRegistry[C any, A artifact.Artifact](open func(Host, C) (Registry[A], error)) *RegistrySpec {
	var made A
	return &RegistrySpec{
		newSpec(open, func(g Registry[A]) AnyRegistry { return erasedRegistry[A]{g} }),
		acceptsArtifact[A], made,
	}
}

// NewPlatform declares a platform.
func NewPlatform[C any, A artifact.Artifact, D Deployment](open func(Host, C) (Platform[A, D], error)) *PlatformSpec {
	var made D
	return &PlatformSpec{
		newSpec(open, func(p Platform[A, D]) AnyPlatform { return erasedPlatform[A, D]{p} }),
		acceptsArtifact[A], made,
		func(raw json.RawMessage) (Deployment, error) { return load[D, Deployment](raw) },
	}
}

// NewReleaser declares a releaser.
func NewReleaser[C any, D Deployment, R Release](open func(Host, C) (Releaser[D, R], error)) *ReleaserSpec {
	return &ReleaserSpec{
		newSpec(open, func(r Releaser[D, R]) AnyReleaser { return erasedReleaser[D, R]{r} }),
		func(d Deployment) bool { _, ok := d.(D); return ok },
		func(raw json.RawMessage) (Release, error) { return load[R, Release](raw) },
	}
}

// NewSourcer declares a config sourcer.
func NewSourcer[C any](open func(Host, C) (Sourcer, error)) *SourcerSpec {
	return &SourcerSpec{newSpec(open, func(s Sourcer) Sourcer { return s })}
}

// DynamicBuilder declares a builder whose types are known only when it runs,
// as an external plugin's. So do its siblings for the other kinds.
func DynamicBuilder(open func(Host, Decode) (AnyBuilder, hcl.Diagnostics, error)) *BuilderSpec {
	return &BuilderSpec{spec: spec[AnyBuilder]{open: open}}
}

// DynamicRegistry declares a registry whose types are known only when it runs.
func DynamicRegistry(open func(Host, Decode) (AnyRegistry, hcl.Diagnostics, error)) *RegistrySpec {
	return &RegistrySpec{spec: spec[AnyRegistry]{open: open}, accepts: acceptsArtifact[artifact.Artifact]}
}

// DynamicPlatform declares a platform whose types are known only when it runs.
func DynamicPlatform(
	open func(Host, Decode) (AnyPlatform, hcl.Diagnostics, error),
	load func(json.RawMessage) (Deployment, error),
) *PlatformSpec {
	return &PlatformSpec{spec: spec[AnyPlatform]{open: open}, accepts: acceptsArtifact[artifact.Artifact], load: load}
}

// DynamicReleaser declares a releaser whose types are known only when it runs.
func DynamicReleaser(
	open func(Host, Decode) (AnyReleaser, hcl.Diagnostics, error),
	load func(json.RawMessage) (Release, error),
) *ReleaserSpec {
	return &ReleaserSpec{spec: spec[AnyReleaser]{open: open}, accepts: func(Deployment) bool { return true }, load: load}
}

// acceptsArtifact reports whether a component of A takes a.
func acceptsArtifact[A artifact.Artifact](a artifact.Artifact) bool { _, ok := a.(A); return ok }

// load reads a recorded value of type T. An empty record is a nil W.
func load[T, W any](raw json.RawMessage) (W, error) {
	var (
		value T
		none  W
	)
	if len(raw) == 0 || string(raw) == "null" {
		return none, nil
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return none, fmt.Errorf("reading the recorded result: %w", err)
	}
	return any(value).(W), nil
}
