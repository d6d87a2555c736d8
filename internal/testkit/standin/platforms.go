package standin

import "github.com/deploy-action/deploy-action/internal/secret"

// Docker is the configuration of the platform "docker".
type Docker struct {
	Command           []string          `hcl:"command,optional"`
	ServicePort       int               `hcl:"service_port,optional"`
	ExtraPorts        []int             `hcl:"extra_ports,optional"`
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`
	Binds             []string          `hcl:"binds,optional"`
	Labels            map[string]string `hcl:"labels,optional"`
	Networks          []string          `hcl:"networks,optional"`
	Resources         map[string]string `hcl:"resources,optional"`
	ForcePull         bool              `hcl:"force_pull,optional"`
	ScratchPath       string            `hcl:"scratch_path,optional"`
	Auth              *Auth             `hcl:"auth,block"`
	ClientConfig      *DockerClient     `hcl:"client_config,block"`
}

// DockerClient is the engine to talk to.
type DockerClient struct {
	Host       string `hcl:"host,optional"`
	CertPath   string `hcl:"cert_path,optional"`
	APIVersion string `hcl:"api_version,optional"`
}

// Exec is the configuration of the platform "exec".
type Exec struct {
	Command  []string      `hcl:"command,optional"`
	Dir      string        `hcl:"dir,optional"`
	Template *ExecTemplate `hcl:"template,block"`
}

// ExecTemplate is a file or a folder of templates.
type ExecTemplate struct {
	Path string `hcl:"path"`
}

// CloudRun is the configuration of the platform "google-cloud-run".
type CloudRun struct {
	Project            string            `hcl:"project"`
	Location           string            `hcl:"location"`
	Port               int               `hcl:"port,optional"`
	StaticEnvironment  map[string]string `hcl:"static_environment,optional"`
	Unauthenticated    bool              `hcl:"unauthenticated,optional"`
	Capacity           *CloudRunCapacity `hcl:"capacity,block"`
	AutoScaling        *CloudRunScaling  `hcl:"auto_scaling,block"`
	ServiceAccountName string            `hcl:"service_account_name,optional"`
	CloudSQLInstances  []string          `hcl:"cloudsql_instances,optional"`
	VPCAccess          *CloudRunVPC      `hcl:"vpc_access,block"`
}

// CloudRunCapacity is what an instance may use.
type CloudRunCapacity struct {
	Memory                  int `hcl:"memory"`
	CPUCount                int `hcl:"cpu_count"`
	RequestTimeout          int `hcl:"request_timeout"`
	MaxRequestsPerContainer int `hcl:"max_requests_per_container"`
}

// CloudRunScaling is how many instances there are.
type CloudRunScaling struct {
	Max int `hcl:"max"`
}

// CloudRunVPC is the way into a private network.
type CloudRunVPC struct {
	Connector string `hcl:"connector,optional"`
	Egress    string `hcl:"egress,optional"`
}

// ContainerInstance is the configuration of the platform
// "azure-container-instance".
type ContainerInstance struct {
	ResourceGroup     string            `hcl:"resource_group"`
	Location          string            `hcl:"location,optional"`
	SubscriptionID    string            `hcl:"subscription_id,optional"`
	ManagedIdentity   string            `hcl:"managed_identity,optional"`
	Ports             []int             `hcl:"ports,optional"`
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`
	Capacity          *AzureCapacity    `hcl:"capacity,block"`
	Volumes           []AzureVolume     `hcl:"volume,block"`
}

// AzureCapacity is what a container group may use.
type AzureCapacity struct {
	Memory   int `hcl:"memory"`
	CPUCount int `hcl:"cpu_count"`
}

// AzureVolume is a folder of a container group.
type AzureVolume struct {
	Name      string          `hcl:"name"`
	Path      string          `hcl:"path"`
	ReadOnly  bool            `hcl:"read_only"`
	FileShare *AzureFileShare `hcl:"azure_file_share,block"`
	GitRepo   *AzureGitRepo   `hcl:"git_repo,block"`
}

// AzureFileShare is a volume on a storage account.
type AzureFileShare struct {
	Name              string      `hcl:"name"`
	StorageAccount    string      `hcl:"storage_account_name"`
	StorageAccountKey secret.Text `hcl:"storage_account_key"`
}

// AzureGitRepo is a volume with a repository in it.
type AzureGitRepo struct {
	Repository string `hcl:"repository"`
	Revision   string `hcl:"revision,optional"`
	Directory  string `hcl:"directory,optional"`
}

// Netlify is the configuration of the platform "netlify".
type Netlify struct {
	SiteID      string      `hcl:"site_id,optional"`
	SiteName    string      `hcl:"site_name,optional"`
	AccessToken secret.Text `hcl:"access_token,optional"`
}

// Nomad is the configuration of the platform "nomad".
type Nomad struct {
	Datacenter        string            `hcl:"datacenter,optional"`
	Namespace         string            `hcl:"namespace,optional"`
	Region            string            `hcl:"region,optional"`
	Replicas          int               `hcl:"replicas,optional"`
	Resources         *NomadResources   `hcl:"resources,block"`
	ServicePort       int               `hcl:"service_port,optional"`
	ServiceProvider   string            `hcl:"service_provider,optional"`
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`
	Auth              *NomadAuth        `hcl:"auth,block"`
}

// NomadResources is what a task may use.
type NomadResources struct {
	CPU      int `hcl:"cpu,optional"`
	MemoryMB int `hcl:"memorymb,optional"`
}

// NomadAuth signs in to the image's registry.
type NomadAuth struct {
	Username string      `hcl:"username"`
	Password secret.Text `hcl:"password"`
}

// NomadJobspec is the configuration of the platform "nomad-jobspec".
type NomadJobspec struct {
	Jobspec string `hcl:"jobspec"`
	HCL1    bool   `hcl:"hcl1,optional"`
}

// NomadCanary is the configuration of the releaser "nomad-jobspec-canary".
type NomadCanary struct {
	Groups         []string `hcl:"groups,optional"`
	FailDeployment bool     `hcl:"fail_deployment,optional"`
}
