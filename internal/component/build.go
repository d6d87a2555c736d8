package component

import (
	"context"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Builder turns source into an artifact. It changes nothing outside the job,
// so a plan runs it for real and learns the digest a deploy would use. One
// that does change something says so in Plugin.BuildsOutside.
type Builder[A artifact.Artifact] interface {
	Build(ctx context.Context, req BuildRequest) (A, error)
}

// BuildRequest is what a [Builder] is given.
type BuildRequest struct {
	App App

	// Repository is where the image will be pushed. A builder may read from
	// it and store blobs in it ahead of Push, through package oci; only Push
	// writes the tag. It is nil in a plan, and where nothing will be pushed.
	Repository *artifact.Repository

	// Label is told what the builder has to say of the artifact it made, for the
	// records of build and push: what a label of configuration or of the command
	// line says already stays. It is nil where there are no records.
	Label func(key, value string)
}

// Registry makes an artifact reachable by platforms.
type Registry[A artifact.Artifact] interface {
	// Plan returns what Push would return, and what it would upload.
	Plan(ctx context.Context, req PushRequest[A]) (A, Plan, error)

	// Push uploads the artifact, unless the registry has the same content
	// already, and returns it as platforms will know it. Pushing twice is
	// pushing once.
	Push(ctx context.Context, req PushRequest[A]) (A, error)

	// Repository returns where Push will store, without asking for
	// credentials; nil for a registry that is none (files).
	Repository(ctx context.Context, app App) (*artifact.Repository, error)
}

// PushRequest is what a [Registry] is given.
type PushRequest[A artifact.Artifact] struct {
	App      App
	Artifact A
}

// Sourcer resolves dynamic("NAME", {…}) values in configuration.
type Sourcer interface {
	// Read answers each key, in order. It is called with every key of a source
	// that is known at a time, so that it can batch, and again where answers lead
	// to further ones; its error is for what concerns them all. Without any key
	// it signs in, where there is something to sign in to, and reads nothing.
	Read(ctx context.Context, keys []Key) ([]Reading, error)

	// Close revokes what every Read obtained. It is called once, at the end of the run.
	Close(ctx context.Context) error
}

// Key names one value that a [Sourcer] can read.
type Key struct {
	Var    string            // the configuration variable it is for
	Params map[string]string // the second argument of dynamic
}

// Reading is the answer to a [Key]. What is no string is JSON.
type Reading struct {
	Text   secret.Text
	Public bool  // the source says that it is not sensitive (ConfigMap, plain parameter)
	Err    error // concerns this key only
}
