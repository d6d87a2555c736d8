package pack

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/buildpacks/pack/pkg/image"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// BuilderConfig is the use block of the builder.
type BuilderConfig struct {
	// The image that has the buildpacks; "heroku/buildpacks:20" by default. That
	// is an old one, kept for files that rely on it: name another in new files.
	Builder string `hcl:"builder,optional"`

	// The buildpacks to use, in this order, in place of those that the builder
	// finds fit: such as "paketo-buildpacks/go", with "@1.2.3" for a version,
	// "from=builder" for the builder's own, an image, or a folder of the app.
	Buildpacks []string `hcl:"buildpacks,optional"`

	// Variables for the buildpacks, by which they are set. They are not set when
	// the image runs. Until the build ends an image in the engine holds them.
	StaticEnvironment map[string]secret.Text `hcl:"static_environment,optional"`

	// Files of the app's folder that the buildpacks are not given, as patterns
	// of a .gitignore. The folder .git is left out in any case, unless "!.git" is
	// among them; its settings, which may hold a token, always are.
	Ignore []string `hcl:"ignore,optional"`

	// The process that the image starts, of those that the buildpacks or a
	// Procfile name. By default it is the one that they prefer, mostly "web".
	ProcessType string `hcl:"process_type,optional"`

	// The image that the app's is made on; by default the one that the builder
	// names.
	RunImage string `hcl:"run_image,optional"`

	// Whether the builder is trusted to run the build in one container, which is
	// quicker; its root can reach the Docker engine, as which the buildpacks do not
	// run. Otherwise each phase has its own container, and those of the buildpacks
	// have no way to the engine. By default the builders of Google, Heroku and
	// Paketo are trusted.
	TrustBuilder *bool `hcl:"trust_builder,optional"`

	// The image with the lifecycle that does what a builder that is not trusted
	// may not do; by default "buildpacksio/lifecycle", in the builder's version.
	LifecycleImage string `hcl:"lifecycle_image,optional"`

	// When the engine pulls builder and run image: "always", the default,
	// "if-not-present" or "never".
	PullPolicy string `hcl:"pull_policy,optional"`

	// What to build for, such as "linux/arm64"; by default what the builder is
	// for. The engine must be able to run it.
	Platform string `hcl:"platform,optional"`

	// Whether to use nothing that an earlier build left. By default the
	// buildpacks find what they kept, in volumes of the engine whose names begin
	// with "deploy-action-pack-".
	NoCache bool `hcl:"no_cache,optional"`

	// Accepted for compatibility, without effect: nothing is added to images.
	DisableEntrypoint bool `hcl:"disable_entrypoint,optional"`
}

// defaultBuilder is the one that Waypoint uses.
const defaultBuilder = "heroku/buildpacks:20"

// check reports what can be seen to be wrong without an engine.
func (c BuilderConfig) check() error {
	var problems []error
	for _, named := range []struct{ attr, image string }{
		{"builder", c.Builder}, {"run_image", c.RunImage}, {"lifecycle_image", c.LifecycleImage},
	} {
		if named.image == "" {
			continue
		}
		_, err := oci.ParseReference(named.image)
		problems = append(problems, at(named.attr, err))
	}
	if _, err := image.ParsePullPolicy(c.PullPolicy); err != nil {
		problems = append(problems, &diag.Problem{
			Summary: "Unknown pull_policy",
			Detail:  fmt.Sprintf("pull_policy is %q. Write \"always\", \"if-not-present\" or \"never\".", c.PullPolicy),
			Attr:    "pull_policy",
		})
	}
	if _, err := oci.ParsePlatform(c.Platform); err != nil {
		problems = append(problems, at("platform", err))
	}
	return errors.Join(append(problems, c.checkEnvironment())...)
}

// checkEnvironment checks the names of the variables. They become names of
// files.
func (c BuilderConfig) checkEnvironment() error {
	for _, name := range slices.Sorted(maps.Keys(c.StaticEnvironment)) {
		if name == "" || strings.ContainsAny(name, "=/\x00") {
			return &diag.Problem{
				Summary: "Invalid name of a variable",
				Detail:  fmt.Sprintf("static_environment sets %q, which cannot be the name of a variable.", name),
				Attr:    "static_environment",
			}
		}
	}
	return nil
}

// builder is the image that has the buildpacks.
func (c BuilderConfig) builder() string { return cmp.Or(c.Builder, defaultBuilder) }

// at points a problem at an attribute, unless it names one itself.
func at(attr string, err error) error {
	if problem, ok := errors.AsType[*diag.Problem](err); ok && problem.Attr == "" {
		problem.Attr = attr
	}
	return err
}
