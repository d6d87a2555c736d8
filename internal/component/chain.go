package component

import (
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// ChainError says that two neighbouring stages of an app do not fit together.
type ChainError struct {
	Stage  string // the stage that cannot take what it would be given: push, deploy or release
	Reason string
}

// Error implements error.
func (e *ChainError) Error() string { return e.Reason }

// Chain reports whether the stages of one app fit together, before anything
// is built: what each stage makes must be what the next one takes. A nil spec
// is a stage that the app lacks. A stage whose type is known only when it runs,
// as in an external plugin, passes. Its errors are [ChainError]s, joined.
func Chain(b *BuilderSpec, g *RegistrySpec, p *PlatformSpec, r *ReleaserSpec) error {
	var (
		errs []error
		made artifact.Artifact
	)
	if b != nil {
		made = b.makes
	}
	if g != nil {
		if made != nil && !g.accepts(made) {
			errs = append(errs, &ChainError{"push", fmt.Sprintf("build makes %s, which this registry cannot store", kindOf(made))})
		}
		made = g.makes
	}
	if p != nil && made != nil && !p.accepts(made) {
		errs = append(errs, &ChainError{"deploy", fmt.Sprintf("the stage before makes %s, which this platform cannot run", kindOf(made))})
	}
	if p != nil && r != nil && p.makes != nil && !r.accepts(p.makes) {
		errs = append(errs, &ChainError{"release", "this releaser cannot serve the deployments that the platform makes"})
	}
	return errors.Join(errs...)
}

// Makes returns a zero value of what the builder makes, or nil when that is
// known only when it runs.
func (s *BuilderSpec) Makes() artifact.Artifact { return s.makes }
