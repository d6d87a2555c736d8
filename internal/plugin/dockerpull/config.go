package dockerpull

import (
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// BuilderConfig is the use block of the builder.
type BuilderConfig struct {
	// Name of the image without its tag, for example "ghcr.io/acme/web".
	Image string `hcl:"image"`

	// Tag of the image.
	Tag string `hcl:"tag"`

	// Accepted for compatibility, without effect: nothing is added to images.
	DisableEntrypoint bool `hcl:"disable_entrypoint,optional"`

	// The login for the registry as base64 of the JSON object that the Docker
	// engine takes. It wins over auth.
	EncodedAuth secret.Text `hcl:"encoded_auth,optional"`

	// The login for the registry. Without any, the action's input
	// registry-auth and the Docker configuration file are asked. With a login
	// of its own the image is copied, since what follows could not read it.
	Auth *Auth `hcl:"auth,block"`
}

// Auth is a login for a registry.
type Auth struct {
	// Host of the registry. It is not needed, since the image names it.
	Hostname string `hcl:"hostname,optional"`

	// Name of the user.
	Username string `hcl:"username,optional"`

	// The user's password or access token.
	Password secret.Text `hcl:"password,optional"`

	// Mail address of the user. Registries no longer ask for it.
	Email string `hcl:"email,optional"`

	// User and password as base64 of "USER:PASSWORD", in place of both.
	Auth secret.Text `hcl:"auth,optional"`

	// Address of the registry. It is not needed, since the image names it.
	ServerAddress string `hcl:"serverAddress,optional"`

	// A token that is exchanged for an access token.
	IdentityToken secret.Text `hcl:"identityToken,optional"`

	// An access token, sent as it is.
	RegistryToken secret.Text `hcl:"registryToken,optional"`
}

// login returns what the block says; nil without a login.
func (c BuilderConfig) login() (*oci.Login, error) {
	if c.EncodedAuth != "" {
		login, err := oci.ParseEncodedAuth(c.EncodedAuth)
		return &login, err
	}
	if c.Auth == nil {
		return nil, nil
	}
	login := oci.Login{
		Username: c.Auth.Username, Password: c.Auth.Password,
		IdentityToken: c.Auth.IdentityToken, RegistryToken: c.Auth.RegistryToken,
	}
	if c.Auth.Auth == "" {
		return &login, nil
	}
	var err error
	login.Username, login.Password, err = oci.ParseBasicAuth(c.Auth.Auth)
	return &login, err
}
