package docker

import (
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// BuilderConfig is the use block of the builder.
type BuilderConfig struct {
	// Path of the Dockerfile, relative to the app's folder; "Dockerfile" by
	// default. It must be in the repository.
	Dockerfile string `hcl:"dockerfile,optional"`

	// The folder that COPY and ADD read from, relative to the app's folder,
	// which it is by default. It must be in the repository. A file
	// ".dockerignore" in it names what to leave out.
	Context string `hcl:"context,optional"`

	// The stage to build; the last one by default.
	Target string `hcl:"target,optional"`

	// Values for ARG instructions. They are no place for secrets: an image's
	// history shows them.
	BuildArgs map[string]string `hcl:"build_args,optional"`

	// Values for RUN --mount=type=secret, by ID. They are in no layer.
	Secrets map[string]secret.Text `hcl:"secrets,optional"`

	// Labels that the image gets beside those of the Dockerfile.
	Labels map[string]string `hcl:"labels,optional"`

	// What to build for, such as "linux/arm64"; by default Linux on the kind
	// of processor that this program runs on.
	Platform string `hcl:"platform,optional"`

	// Several platforms, in place of platform: one image is built for each,
	// and what is pushed is an index of them. Stages that RUN something begin
	// with FROM --platform=$BUILDPLATFORM, or need an emulator.
	Platforms []string `hcl:"platforms,optional"`

	// Whether to use nothing that an earlier build left but cache mounts.
	NoCache bool `hcl:"no_cache,optional"`

	// The time of what the build adds: "fixed", the default, gives all files
	// SOURCE_DATE_EPOCH, or else 1 January 1980, so that equal files make an
	// equal image; "keep" leaves files the time that they have.
	Timestamps string `hcl:"timestamps,optional"`

	// How layers are compressed: "gzip", the default, which all can read, or
	// "zstd", which is smaller and faster, but which Docker engine 20.10 and
	// older cannot read. Layers that an earlier build left stay as they are.
	Compression string `hcl:"compression,optional"`

	// The level of the compression: 1, the fastest and the default, to 9 for
	// gzip and 22 for zstd.
	Level int `hcl:"level,optional"`

	// What builds: "builtin" is this program itself; "docker" the Docker
	// engine, of version 20.10 or later, that DOCKER_HOST names or else this
	// machine's; "buildkit" the BuildKit daemon that BUILDKIT_HOST names, with TLS
	// where BUILDKIT_TLS_DIR names a folder with ca.pem, cert.pem and key.pem.
	// With "auto", the default, a daemon builds only where there is one and
	// this program could not keep RUN instructions apart from it. "sibling" is
	// this program in a second container of the action's image, which the Docker
	// engine makes and in which RUN instructions are kept apart: for self-hosted
	// runners with an old engine, for a cache in cache_dir, and for the same
	// layers and digests as elsewhere. In a job it needs cache_dir.
	Engine string `hcl:"engine,optional"`

	// Folder for layers and cache mounts, relative to the app's folder. A
	// workflow can restore and save it. By default it ends with the job. Of
	// layers it keeps 10 GiB.
	CacheDir string `hcl:"cache_dir,optional"`

	// Repository that keeps what the steps of the Dockerfile made, such as
	// "ghcr.io/acme/web-cache", so that later jobs need not make it again. It is
	// written to by builds whose image is pushed. What a pull request stores
	// there is read by that pull request only; all read what the default
	// branch stores. Its tags begin with "cache-", for a rule that removes old
	// ones.
	CacheRepo string `hcl:"cache_repo,optional"`

	// Whether to keep in GitHub's cache, the one of actions/cache, what the steps of
	// the Dockerfile made, so that later jobs need not make it again. It needs no
	// login and no permission. It is written to by builds whose image is pushed, and
	// read by the same runs as cache_repo. See docs/dockerfile.md.
	CacheActions bool `hcl:"cache_actions,optional"`

	// Whether to store beside the image in the registry how it was made, as SLSA
	// provenance: the commit, the Dockerfile, the names of build arguments, the
	// base images and the run of the workflow. The image itself stays the same.
	// It is not signed. See docs/supply-chain.md.
	Provenance bool `hcl:"provenance,optional"`

	// Whether to store beside the image in the registry which packages it holds,
	// as an SPDX document: what dpkg, apk and Go programs name, and nothing else.
	// It is not signed. See docs/supply-chain.md.
	SBOM bool `hcl:"sbom,optional"`

	// Accepted for compatibility, without effect: the built-in engine needs
	// no BuildKit.
	BuildKit bool `hcl:"buildkit,optional"`

	// Accepted for compatibility, without effect: nothing is added to images.
	DisableEntrypoint bool `hcl:"disable_entrypoint,optional"`

	// The login for the base image's registry, which the attribute hostname
	// names. Without it the action's input registry-auth and the Docker
	// configuration file are asked.
	Auth *Auth `hcl:"auth,block"`
}

// RegistryConfig is the use block of the registry.
type RegistryConfig struct {
	// Name of the image without its tag, for example "ghcr.io/acme/web".
	Image string `hcl:"image"`

	// Tag under which the image is pushed. Deployments use the digest, so the
	// tag may be the same each time.
	Tag string `hcl:"tag"`

	// Whether to only give the image its name and push nothing, for a
	// platform on this machine.
	Local bool `hcl:"local,optional"`

	// Whether the registry speaks plain HTTP. Registries on this machine and
	// in private networks are tried both ways without it.
	Insecure bool `hcl:"insecure,optional"`

	// Whether provenance and lists of packages may be listed under a tag beside
	// the image ("sha256-…"), where the registry lacks the referrers API. Without
	// it such an image is not accepted there.
	ReferrersTag bool `hcl:"referrers_tag,optional"`

	// Name of the user to sign in as.
	Username string `hcl:"username,optional"`

	// The user's password or access token.
	Password secret.Text `hcl:"password,optional"`

	// The login for the registry. Without any, the action's input
	// registry-auth and the Docker configuration file are asked.
	Auth *Auth `hcl:"auth,block"`

	// The login for the registry as base64 of the JSON object that the Docker
	// engine takes. It wins over username and password, and these over auth.
	EncodedAuth secret.Text `hcl:"encoded_auth,optional"`
}

// Auth is a login for a registry.
type Auth struct {
	// Host of the registry. A registry block has none, since its image names it.
	Hostname string `hcl:"hostname,optional"`

	// Name of the user.
	Username string `hcl:"username,optional"`

	// The user's password or access token.
	Password secret.Text `hcl:"password,optional"`

	// Mail address of the user. Registries no longer ask for it.
	Email string `hcl:"email,optional"`

	// User and password as base64 of "USER:PASSWORD", in place of both.
	Auth secret.Text `hcl:"auth,optional"`

	// Address of the registry. It is not needed, since images name theirs.
	ServerAddress string `hcl:"serverAddress,optional"`

	// A token that is exchanged for an access token.
	IdentityToken secret.Text `hcl:"identityToken,optional"`

	// An access token, sent as it is.
	RegistryToken secret.Text `hcl:"registryToken,optional"`
}

// login returns what the block says.
func (a Auth) login() (oci.Login, error) {
	login := oci.Login{
		Username:      a.Username,
		Password:      a.Password,
		IdentityToken: a.IdentityToken,
		RegistryToken: a.RegistryToken,
	}
	if a.Auth == "" {
		return login, nil
	}
	var err error
	login.Username, login.Password, err = oci.ParseBasicAuth(a.Auth)
	return login, err
}
