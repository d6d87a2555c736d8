package packer

import "github.com/deploy-action/deploy-action/internal/secret"

// BuilderConfig is the use block of the builder.
type BuilderConfig struct {
	// The template, a file or a folder, relative to the app's folder, which it
	// is by default.
	Template string `hcl:"template,optional"`

	// Values of the template's variables. They are handed over in a file that
	// nobody else can read.
	Vars map[string]secret.Text `hcl:"vars,optional"`

	// The builds to run, such as ["amazon-ebs.web"]; by default all.
	Only []string `hcl:"only,optional"`

	// The builds not to run.
	Except []string `hcl:"except,optional"`

	// Which image is handed on where the template makes several: the one of this
	// build, by its name or type.
	Build string `hcl:"build,optional"`

	// Which image is handed on where a build copies it to several regions.
	Region string `hcl:"region,optional"`

	// Whether to run "packer init" before, which downloads the plugins that the
	// template requires; by default where it requires some.
	Init *bool `hcl:"init,optional"`

	// Whether Packer gets the cloud identity that the auth block names for
	// builds, as AWS_ACCESS_KEY_ID and so on. Whatever the template runs on this
	// machine can read it.
	Identity bool `hcl:"identity,optional"`

	// Further environment variables for Packer.
	Env map[string]secret.Text `hcl:"env,optional"`
}

// SourcerConfig holds the settings of the config source.
type SourcerConfig struct {
	// The organization at HCP, by its ID. HCP_ORGANIZATION_ID in the environment
	// wins over it.
	OrganizationID string `hcl:"organization_id,optional"`

	// The project, by its ID. HCP_PROJECT_ID in the environment wins over it.
	ProjectID string `hcl:"project_id,optional"`

	// The service principal that reads. HCP_CLIENT_ID in the environment wins
	// over it.
	ClientID string `hcl:"client_id,optional"`

	// Its secret. HCP_CLIENT_SECRET in the environment wins over it.
	ClientSecret secret.Text `hcl:"client_secret,optional"`
}
