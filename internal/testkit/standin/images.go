package standin

import "github.com/deploy-action/deploy-action/internal/secret"

// Auth signs in to a registry. Its names are those of Docker's own file.
type Auth struct {
	Hostname      string      `hcl:"hostname,optional"`
	Username      string      `hcl:"username,optional"`
	Password      secret.Text `hcl:"password,optional"`
	Email         string      `hcl:"email,optional"`
	Auth          secret.Text `hcl:"auth,optional"`
	ServerAddress string      `hcl:"serverAddress,optional"`
	IdentityToken secret.Text `hcl:"identityToken,optional"`
	RegistryToken secret.Text `hcl:"registryToken,optional"`
}

// DockerBuild is the configuration of the builder "docker".
type DockerBuild struct {
	Dockerfile        string            `hcl:"dockerfile,optional"`
	Context           string            `hcl:"context,optional"`
	BuildArgs         map[string]string `hcl:"build_args,optional"`
	Target            string            `hcl:"target,optional"`
	Platform          string            `hcl:"platform,optional"`
	BuildKit          bool              `hcl:"buildkit,optional"`
	NoCache           bool              `hcl:"no_cache,optional"`
	DisableEntrypoint bool              `hcl:"disable_entrypoint,optional"`
	Auth              *Auth             `hcl:"auth,block"`
}

// DockerPush is the configuration of the registry "docker".
type DockerPush struct {
	Image       string      `hcl:"image"`
	Tag         string      `hcl:"tag"`
	Local       bool        `hcl:"local,optional"`
	Insecure    bool        `hcl:"insecure,optional"`
	Username    string      `hcl:"username,optional"`
	Password    secret.Text `hcl:"password,optional"`
	EncodedAuth secret.Text `hcl:"encoded_auth,optional"`
	Auth        *Auth       `hcl:"auth,block"`
}

// DockerPull is the configuration of the builder "docker-pull".
type DockerPull struct {
	Image             string      `hcl:"image"`
	Tag               string      `hcl:"tag"`
	DisableEntrypoint bool        `hcl:"disable_entrypoint,optional"`
	EncodedAuth       secret.Text `hcl:"encoded_auth,optional"`
	Auth              *Auth       `hcl:"auth,block"`
}

// DockerRef is the configuration of the builder "docker-ref".
type DockerRef struct {
	Image string `hcl:"image"`
	Tag   string `hcl:"tag"`
}

// Pack is the configuration of the builder "pack".
type Pack struct {
	Builder           string            `hcl:"builder,optional"`
	Buildpacks        []string          `hcl:"buildpacks,optional"`
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`
	Ignore            []string          `hcl:"ignore,optional"`
	ProcessType       string            `hcl:"process_type,optional"`
	DisableEntrypoint bool              `hcl:"disable_entrypoint,optional"`
}

// FilesCopy is the configuration of the registry "files".
type FilesCopy struct {
	Path string `hcl:"path"`
}

// AMI is the configuration of the builder "aws-ami".
type AMI struct {
	Region  string              `hcl:"region"`
	Owners  []string            `hcl:"owners,optional"`
	Name    string              `hcl:"name,optional"`
	Filters map[string][]string `hcl:"filters,optional"`
}

// ECR is the configuration of the registry "aws-ecr".
type ECR struct {
	Region     string `hcl:"region,optional"`
	Repository string `hcl:"repository,optional"`
	Tag        string `hcl:"tag"`
}

// ECRPull is the configuration of the builder "aws-ecr-pull".
type ECRPull struct {
	Region            string `hcl:"region,optional"`
	Repository        string `hcl:"repository"`
	Tag               string `hcl:"tag"`
	ForceArchitecture string `hcl:"force_architecture,optional"`
	DisableEntrypoint bool   `hcl:"disable_entrypoint,optional"`
}
