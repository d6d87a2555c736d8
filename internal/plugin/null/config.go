package null

import "github.com/deploy-action/deploy-action/internal/secret"

// BuilderConfig is the use block of the builder: it has no attributes.
type BuilderConfig struct{}

// PlatformConfig is the use block of the platform: it has no attributes.
type PlatformConfig struct{}

// ReleaserConfig is the use block of the releaser: it has no attributes.
type ReleaserConfig struct{}

// SourcerConfig holds the settings of the config source.
type SourcerConfig struct {
	// The values that a key can ask for by "config_key".
	Values map[string]secret.Text `hcl:"values,optional"`
}
