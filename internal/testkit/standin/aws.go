package standin

// ALB is the configuration of the releaser "aws-alb".
type ALB struct {
	Name             string   `hcl:"name,optional"`
	Port             int      `hcl:"port,optional"`
	Subnets          []string `hcl:"subnets,optional"`
	Certificate      string   `hcl:"certificate,optional"`
	ZoneID           string   `hcl:"zone_id,optional"`
	DomainName       string   `hcl:"domain_name,optional"`
	ListenerARN      string   `hcl:"listener_arn,optional"`
	SecurityGroupIDs []string `hcl:"security_group_ids,optional"`
}

// EC2 is the configuration of the platform "aws-ec2".
type EC2 struct {
	Region         string    `hcl:"region"`
	InstanceType   string    `hcl:"instance_type"`
	ServicePort    int       `hcl:"service_port"`
	ExtraPorts     []int     `hcl:"extra_ports,optional"`
	Key            string    `hcl:"key,optional"`
	SecurityGroups []string  `hcl:"security_groups,optional"`
	Subnet         string    `hcl:"subnet,optional"`
	Count          *EC2Count `hcl:"count,block"`
}

// EC2Count is how many machines there are.
type EC2Count struct {
	Desired int `hcl:"desired,optional"`
	Min     int `hcl:"min,optional"`
	Max     int `hcl:"max,optional"`
}

// ECS is the configuration of the platform "aws-ecs".
type ECS struct {
	Region                string            `hcl:"region"`
	Memory                int               `hcl:"memory"`
	Cluster               string            `hcl:"cluster,optional"`
	CPU                   int               `hcl:"cpu,optional"`
	MemoryReservation     int               `hcl:"memory_reservation,optional"`
	Count                 int               `hcl:"count,optional"`
	ServicePort           int               `hcl:"service_port,optional"`
	Architecture          string            `hcl:"architecture,optional"`
	StaticEnvironment     map[string]string `hcl:"static_environment,optional"`
	Secrets               map[string]string `hcl:"secrets,optional"`
	Subnets               []string          `hcl:"subnets,optional"`
	SecurityGroupIDs      []string          `hcl:"security_group_ids,optional"`
	AssignPublicIP        *bool             `hcl:"assign_public_ip"`
	ExecutionRoleName     string            `hcl:"execution_role_name,optional"`
	TaskRoleName          string            `hcl:"task_role_name,optional"`
	TaskRolePolicyARNs    []string          `hcl:"task_role_policy_arns,optional"`
	LogGroup              string            `hcl:"log_group,optional"`
	Logging               *ECSLogging       `hcl:"logging,block"`
	EC2Cluster            bool              `hcl:"ec2_cluster,optional"`
	DisableALB            bool              `hcl:"disable_alb,optional"`
	TargetGroupProtocol   string            `hcl:"target_group_protocol,optional"`
	TargetProtocolVersion string            `hcl:"target_group_protocol_version,optional"`
	HealthCheck           *ECSHealthCheck   `hcl:"health_check,block"`
	ALB                   *ECSALB           `hcl:"alb,block"`
	Sidecars              []ECSSidecar      `hcl:"sidecar,block"`
}

// ECSLogging is the log driver.
type ECSLogging struct {
	CreateGroup      bool   `hcl:"create_group,optional"`
	StreamPrefix     string `hcl:"stream_prefix,optional"`
	DatetimeFormat   string `hcl:"datetime_format,optional"`
	MultilinePattern string `hcl:"multiline_pattern,optional"`
	Mode             string `hcl:"mode,optional"`
	MaxBufferSize    string `hcl:"max_buffer_size,optional"`
}

// ECSHealthCheck is that of the target group.
type ECSHealthCheck struct {
	Protocol                string `hcl:"protocol,optional"`
	Path                    string `hcl:"path,optional"`
	Timeout                 int    `hcl:"timeout,optional"`
	Interval                int    `hcl:"interval,optional"`
	HealthyThresholdCount   int    `hcl:"healthy_threshold_count,optional"`
	UnhealthyThresholdCount int    `hcl:"unhealthy_threshold_count,optional"`
	GRPCCode                string `hcl:"grpc_code,optional"`
	HTTPCode                string `hcl:"http_code,optional"`
}

// ECSALB is the load balancer of an app.
type ECSALB struct {
	Certificate      string   `hcl:"certificate,optional"`
	ZoneID           string   `hcl:"zone_id,optional"`
	DomainName       string   `hcl:"domain_name,optional"`
	LoadBalancerARN  string   `hcl:"load_balancer_arn,optional"`
	Internal         bool     `hcl:"internal,optional"`
	IngressPort      int      `hcl:"ingress_port,optional"`
	Subnets          []string `hcl:"subnets,optional"`
	SecurityGroupIDs []string `hcl:"security_group_ids,optional"`
}

// ECSSidecar is a container beside the app's.
type ECSSidecar struct {
	Name              string            `hcl:"name"`
	Image             string            `hcl:"image"`
	Memory            int               `hcl:"memory,optional"`
	MemoryReservation int               `hcl:"memory_reservation,optional"`
	ContainerPort     int               `hcl:"container_port,optional"`
	HostPort          int               `hcl:"host_port,optional"`
	Protocol          string            `hcl:"protocol,optional"`
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`
	Secrets           map[string]string `hcl:"secrets,optional"`
	HealthCheck       *ECSSidecarCheck  `hcl:"health_check,block"`
}

// ECSSidecarCheck is a sidecar's own check.
type ECSSidecarCheck struct {
	Command     []string `hcl:"command"`
	Interval    int      `hcl:"interval,optional"`
	Timeout     int      `hcl:"timeout,optional"`
	Retries     int      `hcl:"retries,optional"`
	StartPeriod int      `hcl:"start_period,optional"`
}

// Lambda is the configuration of the platform "aws-lambda".
type Lambda struct {
	Region            string            `hcl:"region"`
	IAMRole           string            `hcl:"iam_role,optional"`
	Memory            int               `hcl:"memory,optional"`
	Timeout           int               `hcl:"timeout,optional"`
	Architecture      string            `hcl:"architecture,optional"`
	StorageMB         int               `hcl:"storagemb,optional"`
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`
}

// FunctionURL is the configuration of the releaser "lambda-function-url".
type FunctionURL struct {
	AuthType  string `hcl:"auth_type,optional"`
	Principal string `hcl:"principal,optional"`
	CORS      *CORS  `hcl:"cors,block"`
}

// CORS is who may call a function from a page.
type CORS struct {
	AllowCredentials bool     `hcl:"allow_credentials,optional"`
	AllowHeaders     []string `hcl:"allow_headers,optional"`
	AllowMethods     []string `hcl:"allow_methods,optional"`
	AllowOrigins     []string `hcl:"allow_origins,optional"`
	ExposeHeaders    []string `hcl:"expose_headers,optional"`
	MaxAge           int      `hcl:"max_age,optional"`
}
