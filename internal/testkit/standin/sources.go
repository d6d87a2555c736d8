package standin

import (
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// secretOf is the answer to a key: a text that names its variable, or JSON
// where all outputs of a workspace are asked for.
func secretOf(key component.Key) secret.Text {
	if key.Params["organization"] != "" && key.Params["output"] == "" {
		return `{"name": "network", "subnets": ["a", "b"]}`
	}
	return secret.Text("answer to " + key.Var)
}

// SSM is the configuration of the source "aws-ssm".
type SSM struct {
	Region    string      `hcl:"region,optional"`
	Profile   string      `hcl:"profile,optional"`
	AccessKey string      `hcl:"access_key,optional"`
	SecretKey secret.Text `hcl:"secret_key,optional"`
}

// Consul is the configuration of the source "consul".
type Consul struct {
	Address    string      `hcl:"address,optional"`
	Scheme     string      `hcl:"scheme,optional"`
	Token      secret.Text `hcl:"token,optional"`
	Datacenter string      `hcl:"datacenter,optional"`
	Namespace  string      `hcl:"namespace,optional"`
}

// TerraformCloud is the configuration of the source "terraform-cloud".
type TerraformCloud struct {
	Token           secret.Text `hcl:"token,optional"`
	BaseURL         string      `hcl:"base_url,optional"`
	SkipVerify      bool        `hcl:"skip_verify,optional"`
	RefreshInterval string      `hcl:"refresh_interval,optional"`
}

// Vault is the configuration of the source "vault".
type Vault struct {
	Addr                string      `hcl:"addr,optional"`
	Namespace           string      `hcl:"namespace,optional"`
	Token               secret.Text `hcl:"token,optional"`
	AuthMethod          string      `hcl:"auth_method,optional"`
	AuthMethodMountPath string      `hcl:"auth_method_mount_path,optional"`
	KubernetesRole      string      `hcl:"kubernetes_role,optional"`
	AppRoleID           string      `hcl:"approle_role_id,optional"`
	AppRoleSecretID     secret.Text `hcl:"approle_secret_id,optional"`
}
