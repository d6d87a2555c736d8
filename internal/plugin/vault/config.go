package vault

import (
	"github.com/deploy-action/deploy-action/internal/secret"
)

// SourcerConfig holds the settings of the config source.
type SourcerConfig struct {
	// Address of Vault, such as "https://vault.example.com:8200". VAULT_ADDR,
	// or the action's input vault-addr, wins over it.
	Addr string `hcl:"addr,optional"`

	// Address of a Vault agent or proxy to ask in place of addr. An agent that
	// signs in by itself needs no sign-in here. VAULT_AGENT_ADDR wins over it.
	AgentAddr string `hcl:"agent_addr,optional"`

	// File with the PEM certificates of the authorities to trust in place of
	// the usual ones. VAULT_CACERT wins over it.
	CACert string `hcl:"ca_cert,optional"`

	// Folder of such files. VAULT_CAPATH wins over it.
	CAPath string `hcl:"ca_path,optional"`

	// File with the PEM certificate to show to Vault, where it asks for one.
	// VAULT_CLIENT_CERT wins over it.
	ClientCert string `hcl:"client_cert,optional"`

	// File with the private key of client_cert. VAULT_CLIENT_KEY wins over it.
	ClientKey string `hcl:"client_key,optional"`

	// Whether to believe any certificate, which lets everyone on the way read
	// the secrets. VAULT_SKIP_VERIFY wins over it.
	SkipVerify bool `hcl:"skip_verify,optional"`

	// The namespace of Vault Enterprise or HCP to work in. VAULT_NAMESPACE, or
	// the action's input vault-namespace, wins over it.
	Namespace string `hcl:"namespace,optional"`

	// The name that Vault's certificate must be for, where it is not the host
	// of the address. VAULT_TLS_SERVER_NAME wins over it.
	TLSServerName string `hcl:"tls_server_name,optional"`

	// A token to use as it is. It is neither renewed nor revoked. VAULT_TOKEN
	// wins over it.
	Token secret.Text `hcl:"token,optional"`

	// Sign in with the job's OIDC token. Outside of jobs, where there is none,
	// a token is used.
	Auth *Auth `hcl:"auth,block"`

	// How to sign in: "jwt" (the job's OIDC token, as the block auth does),
	// "approle", "kubernetes", "aws" or "gcp".
	AuthMethod string `hcl:"auth_method,optional"`

	// Where auth_method is mounted in Vault; by default at its own name.
	// "auth/" may stand before it.
	AuthMethodMountPath string `hcl:"auth_method_mount_path,optional"`

	// The role to sign in to with the method "kubernetes".
	KubernetesRole string `hcl:"kubernetes_role,optional"`

	// File with the service account's token, by default
	// "/var/run/secrets/kubernetes.io/serviceaccount/token".
	KubernetesTokenPath string `hcl:"kubernetes_token_path,optional"`

	// What the method "aws" proves: "iam", an identity with keys, or "ec2", an
	// instance. By Vault's rules an instance signs in that way once in its life.
	AWSType string `hcl:"aws_type,optional"`

	// The role to sign in to with the method "aws".
	AWSRole string `hcl:"aws_role,optional"`

	// Accepted for compatibility, without effect: keys are read when they are
	// needed.
	AWSCredentialPollInterval int `hcl:"aws_credential_poll_interval,optional"`

	// The access key to sign with, for "iam". By default it is that of
	// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
	AWSAccessKey string `hcl:"aws_access_key,optional"`

	// The secret of aws_access_key.
	AWSSecretKey secret.Text `hcl:"aws_secret_key,optional"`

	// The region whose STS vouches for the identity, "us-east-1" by default.
	AWSRegion string `hcl:"aws_region,optional"`

	// The value for the header X-Vault-AWS-IAM-Server-ID, where Vault wants it.
	AWSHeaderValue string `hcl:"aws_header_value,optional"`

	// The role's ID, for the method "approle".
	AppRoleRoleID string `hcl:"approle_role_id,optional"`

	// A secret ID of the role, where the role wants one.
	AppRoleSecretID secret.Text `hcl:"approle_secret_id,optional"`

	// What the method "gcp" proves: "gce", an instance, or "iam", a service
	// account by its key.
	GCPType string `hcl:"gcp_type,optional"`

	// The role to sign in to with the method "gcp".
	GCPRole string `hcl:"gcp_role,optional"`

	// The JSON key of the service account, for "iam": its content. By default
	// it is the file that GOOGLE_APPLICATION_CREDENTIALS names.
	GCPCredentials secret.Text `hcl:"gcp_credentials,optional"`

	// The service account. By default it is that of the key, or of the
	// instance.
	GCPServiceAccount string `hcl:"gcp_service_account,optional"`

	// Accepted for compatibility, without effect: a key names its project.
	GCPProject string `hcl:"gcp_project,optional"`

	// For how many minutes the proof of "iam" is good, 15 by default. The role
	// sets the limit.
	GCPJWTExp int `hcl:"gcp_jwt_exp,optional"`

	// Whether values that Vault lends, such as database credentials, stay good
	// after the run, for an app that was deployed with them. Once such a value
	// was read, the token is not revoked but expires by itself, and the value
	// with it if it has not before: the role's token_ttl is the longest that it
	// lives.
	KeepLeases bool `hcl:"keep_leases,optional"`
}

// Auth is how to sign in with the job's OIDC token.
type Auth struct {
	// Always "github-oidc".
	Kind string `hcl:"kind,label"`

	// The role to sign in to; by default the default role of the mount.
	// VAULT_ROLE, or the action's input vault-role, wins over it.
	Role string `hcl:"role,optional"`

	// Where the JWT method is mounted, "jwt" by default. VAULT_AUTH_MOUNT, or
	// the action's input vault-auth-mount, wins over it.
	Mount string `hcl:"mount,optional"`

	// Whom the token is for, one of the role's bound_audiences; by default the
	// address of the repository's owner at GitHub. VAULT_AUDIENCE, or the
	// action's input vault-audience, wins over it.
	Audience string `hcl:"audience,optional"`
}
