package standin

// Kubernetes is the configuration of the platform "kubernetes".
type Kubernetes struct {
	Kubeconfig        string            `hcl:"kubeconfig,optional"`
	Context           string            `hcl:"context,optional"`
	Namespace         string            `hcl:"namespace,optional"`
	Replicas          *int              `hcl:"replicas"`
	ServicePort       int               `hcl:"service_port,optional"`
	ProbePath         string            `hcl:"probe_path,optional"`
	Probe             *Probe            `hcl:"probe,block"`
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`
	Annotations       map[string]string `hcl:"annotations,optional"`
	Labels            map[string]string `hcl:"labels,optional"`
	ImageSecret       string            `hcl:"image_secret,optional"`
	ServiceAccount    string            `hcl:"service_account,optional"`
	ScratchPath       []string          `hcl:"scratch_path,optional"`
	CPU               *Resource         `hcl:"cpu,block"`
	Memory            *Resource         `hcl:"memory,block"`
	Resources         map[string]string `hcl:"resources,optional"`
	Autoscale         *Autoscale        `hcl:"autoscale,block"`
	Pod               *Pod              `hcl:"pod,block"`
}

// Probe says how often to look at a container's health.
type Probe struct {
	InitialDelay     int `hcl:"initial_delay,optional"`
	Timeout          int `hcl:"timeout,optional"`
	FailureThreshold int `hcl:"failure_threshold,optional"`
}

// Resource is a share of the node.
type Resource struct {
	Request string `hcl:"request,optional"`
	Limit   string `hcl:"limit,optional"`
}

// Autoscale is how many pods there are.
type Autoscale struct {
	MinReplicas int `hcl:"min_replicas,optional"`
	MaxReplicas int `hcl:"max_replicas,optional"`
	CPUPercent  int `hcl:"cpu_percent,optional"`
}

// Pod is the pod around the app's container.
type Pod struct {
	SecurityContext *SecurityContext `hcl:"security_context,block"`
	Container       *Container       `hcl:"container,block"`
	Sidecars        []Sidecar        `hcl:"sidecar,block"`
}

// SecurityContext is who a pod runs as.
type SecurityContext struct {
	RunAsUser    int  `hcl:"run_as_user"`
	RunAsGroup   int  `hcl:"run_as_group"`
	RunAsNonRoot bool `hcl:"run_as_non_root"`
	FSGroup      int  `hcl:"fs_group"`
}

// Container is a container of a pod.
type Container struct {
	Name              string            `hcl:"name,optional"`
	Ports             []Port            `hcl:"port,block"`
	ProbePath         string            `hcl:"probe_path,optional"`
	Probe             *Probe            `hcl:"probe,block"`
	CPU               *Resource         `hcl:"cpu,block"`
	Memory            *Resource         `hcl:"memory,block"`
	Resources         map[string]string `hcl:"resources,optional"`
	Command           []string          `hcl:"command,optional"`
	Args              []string          `hcl:"args,optional"`
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`
}

// Port is a port of a container.
type Port struct {
	Name     string `hcl:"name"`
	Port     int    `hcl:"port"`
	HostPort int    `hcl:"host_port,optional"`
	HostIP   string `hcl:"host_ip,optional"`
	Protocol string `hcl:"protocol,optional"`
}

// Sidecar is a container beside the app's.
type Sidecar struct {
	Image     string     `hcl:"image"`
	Container *Container `hcl:"container,block"`
}

// KubernetesRelease is the configuration of the releaser "kubernetes".
type KubernetesRelease struct {
	Kubeconfig   string              `hcl:"kubeconfig,optional"`
	Context      string              `hcl:"context,optional"`
	Namespace    string              `hcl:"namespace,optional"`
	LoadBalancer bool                `hcl:"load_balancer,optional"`
	Port         int                 `hcl:"port,optional"`
	NodePort     int                 `hcl:"node_port,optional"`
	Ports        []map[string]string `hcl:"ports,optional"`
	Annotations  map[string]string   `hcl:"annotations,optional"`
	Ingress      *Ingress            `hcl:"ingress,block"`
}

// Ingress is a way in from outside the cluster.
type Ingress struct {
	Kind        string            `hcl:"kind,label"`
	Annotations map[string]string `hcl:"annotations,optional"`
	Default     bool              `hcl:"default,optional"`
	Host        string            `hcl:"host,optional"`
	PathType    string            `hcl:"path_type,optional"`
	Path        string            `hcl:"path,optional"`
	TLS         *TLS              `hcl:"tls,block"`
}

// TLS is the certificate of an ingress.
type TLS struct {
	Hosts      []string `hcl:"hosts,optional"`
	SecretName string   `hcl:"secret_name,optional"`
}

// KubernetesApply is the configuration of the platform "kubernetes-apply".
type KubernetesApply struct {
	Path           string   `hcl:"path"`
	PruneLabel     string   `hcl:"prune_label"`
	PruneAllowlist []string `hcl:"prune_allowlist,optional"`
	Kubeconfig     string   `hcl:"kubeconfig,optional"`
	Context        string   `hcl:"context,optional"`
}

// Helm is the configuration of the platform "helm".
type Helm struct {
	Name            string    `hcl:"name"`
	Chart           string    `hcl:"chart"`
	Repository      string    `hcl:"repository,optional"`
	Version         string    `hcl:"version,optional"`
	Devel           bool      `hcl:"devel,optional"`
	Values          []string  `hcl:"values,optional"`
	Set             []HelmSet `hcl:"set,block"`
	Driver          string    `hcl:"driver,optional"`
	Namespace       string    `hcl:"namespace,optional"`
	CreateNamespace bool      `hcl:"create_namespace,optional"`
	SkipCRDs        bool      `hcl:"skip_crds,optional"`
	Kubeconfig      string    `hcl:"kubeconfig,optional"`
	Context         string    `hcl:"context,optional"`
}

// HelmSet is one value of a chart.
type HelmSet struct {
	Name  string `hcl:"name"`
	Value string `hcl:"value"`
	Type  string `hcl:"type,optional"`
}
