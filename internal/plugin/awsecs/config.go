package awsecs

// Config is the use block of the platform.
type Config struct {
	// The region. By default it is the one of the auth block, the action's
	// input, or AWS_REGION.
	Region string `hcl:"region,optional"`

	// The cluster. One that is missing is made, for Fargate, and removed when
	// its project is the one that made it and nothing runs in it any more. By
	// default "waypoint".
	Cluster string `hcl:"cluster,optional"`

	// A service that exists and is kept by somebody else. Deploys then only
	// register a revision of the task definition that the service runs, with
	// the image and the variables of the config block replaced, and have the
	// service run it. Nothing else of the service is changed, and nothing of it
	// is ever removed. All attributes that describe a new service must be left
	// out.
	Service string `hcl:"service,optional"`

	// The container of an existing service that gets the image. By default the
	// only one, or the one named as the app.
	Container string `hcl:"container,optional"`

	// Memory of a task in MiB. Needed, unless there is a service.
	Memory int `hcl:"memory,optional"`

	// Processor units of a task, of which 1024 are one processor. By default
	// the fewest that Fargate has for the memory.
	CPU int `hcl:"cpu,optional"`

	// Memory in MiB that the app's container is sure to have, from 4 to
	// memory.
	MemoryReservation int `hcl:"memory_reservation,optional"`

	// How many tasks run, 1 by default.
	Count *int `hcl:"count,optional"`

	// The port on which the app serves, 3000 by default. The app finds it in
	// the variable PORT.
	ServicePort int `hcl:"service_port,optional"`

	// "x86_64" or "arm64". By default that of the image.
	Architecture string `hcl:"architecture,optional"`

	// Environment variables, under those of the app's config block. Secrets
	// belong in the latter.
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`

	// Environment variables whose values ECS reads from Secrets Manager or the
	// Systems Manager Parameter Store: ARNs by variable. The execution role
	// that this program makes may read them.
	Secrets map[string]string `hcl:"secrets,optional"`

	// Subnets of the tasks. By default those of the default VPC.
	Subnets []string `hcl:"subnets,optional"`

	// Security groups of the tasks. By default one is made that lets the load
	// balancer in.
	SecurityGroupIDs []string `hcl:"security_group_ids,optional"`

	// Whether tasks on Fargate get a public address, which they need to pull
	// images from a subnet without a NAT gateway. By default true.
	AssignPublicIP *bool `hcl:"assign_public_ip,optional"`

	// The role by which ECS pulls images, reads secrets and writes logs. By
	// default one is made. One that exists is used and never changed, so it
	// must be allowed to read the secrets; one that is missing is made.
	ExecutionRoleName string `hcl:"execution_role_name,optional"`

	// The role of the app. With task_role_policy_arns one that is missing is
	// made; one that exists is used and never changed.
	TaskRoleName string `hcl:"task_role_name,optional"`

	// Policies of the app's role, which is made for them.
	TaskRolePolicyARNs []string `hcl:"task_role_policy_arns,optional"`

	// The log group, "waypoint-logs" by default. One that is missing is made.
	// It is kept when the app is destroyed.
	LogGroup string `hcl:"log_group,optional"`

	// How output gets to the log group.
	Logging *Logging `hcl:"logging,block"`

	// Whether tasks run on the machines of the cluster, which must exist,
	// instead of Fargate.
	EC2Cluster bool `hcl:"ec2_cluster,optional"`

	// Whether the app is a worker that gets no traffic.
	DisableALB bool `hcl:"disable_alb,optional"`

	// What the load balancer speaks with the app: "HTTP", the default, or
	// "HTTPS".
	TargetGroupProtocol string `hcl:"target_group_protocol,optional"`

	// The version of that protocol: "HTTP1", the default, "HTTP2" or "GRPC".
	TargetGroupProtocolVersion string `hcl:"target_group_protocol_version,optional"`

	// How the load balancer checks a task.
	HealthCheck *HealthCheck `hcl:"health_check,block"`

	// The load balancer.
	ALB *ALB `hcl:"alb,block"`

	// Containers beside the app's. When one of them ends, the app goes on.
	Sidecars []Sidecar `hcl:"sidecar,block"`
}

// Logging is the log driver.
type Logging struct {
	// Whether ECS makes the log group if it is missing when a task starts. The
	// execution role needs logs:CreateLogGroup for it.
	CreateGroup bool `hcl:"create_group,optional"`

	// What the names of log streams begin with. The deployment's ID follows.
	StreamPrefix string `hcl:"stream_prefix,optional"`

	// How a line with a date begins, in strftime's notation. Lines that begin
	// otherwise belong to the one before.
	DatetimeFormat string `hcl:"datetime_format,optional"`

	// A regular expression for how a message begins.
	MultilinePattern string `hcl:"multiline_pattern,optional"`

	// "blocking" or "non-blocking": what happens when output is written
	// faster than it can be sent.
	Mode string `hcl:"mode,optional"`

	// How much is kept with the mode "non-blocking", such as "1m".
	MaxBufferSize string `hcl:"max_buffer_size,optional"`
}

// HealthCheck is that of the target group.
type HealthCheck struct {
	// "HTTP" or "HTTPS". By default as target_group_protocol says.
	Protocol string `hcl:"protocol,optional"`

	// The path that is asked for, "/" by default.
	Path string `hcl:"path,optional"`

	// After how many seconds a check has failed, 5 by default. It must be
	// below interval.
	Timeout int `hcl:"timeout,optional"`

	// Seconds between two checks, 30 by default.
	Interval int `hcl:"interval,optional"`

	// How many checks must pass, 5 by default.
	HealthyThresholdCount int `hcl:"healthy_threshold_count,optional"`

	// How many checks must fail, 2 by default.
	UnhealthyThresholdCount int `hcl:"unhealthy_threshold_count,optional"`

	// The gRPC statuses of a task in health, such as "0" or "0-99".
	GRPCCode string `hcl:"grpc_code,optional"`

	// The HTTP statuses of a task in health, such as "200-399".
	HTTPCode string `hcl:"http_code,optional"`
}

// ALB is the load balancer of an app.
type ALB struct {
	// ARN of a certificate. With one the load balancer speaks HTTPS.
	Certificate string `hcl:"certificate,optional"`

	// The Route 53 zone that gets a record for domain_name, unless the zone
	// has one that points elsewhere.
	ZoneID string `hcl:"zone_id,optional"`

	// The name by which users reach the app. On a load balancer that exists,
	// only requests for this name are the app's, so that many apps, and the
	// previews of pull requests, can share it.
	DomainName string `hcl:"domain_name,optional"`

	// ARN of a load balancer that exists, in place of one that is made.
	LoadBalancerARN string `hcl:"load_balancer_arn,optional"`

	// Whether the load balancer can be reached from its own network only.
	Internal bool `hcl:"internal,optional"`

	// The port that users reach, 80 by default, or 443 with a certificate.
	IngressPort int `hcl:"ingress_port,optional"`

	// Subnets of the load balancer, in two zones at least. By default those of
	// the tasks.
	Subnets []string `hcl:"subnets,optional"`

	// Security groups of the load balancer. By default one is made that lets
	// everyone in at ingress_port.
	SecurityGroupIDs []string `hcl:"security_group_ids,optional"`
}

// Sidecar is a container beside the app's.
type Sidecar struct {
	// Its name.
	Name string `hcl:"name"`

	// Its image.
	Image string `hcl:"image"`

	// The most memory it gets, in MiB. Needed with ec2_cluster, unless there
	// is a reservation.
	Memory int `hcl:"memory,optional"`

	// Memory in MiB that it is sure to have.
	MemoryReservation int `hcl:"memory_reservation,optional"`

	// A port on which it serves, for others in the network.
	ContainerPort int `hcl:"container_port,optional"`

	// The same port, and nothing else: each task has an address of its own.
	HostPort int `hcl:"host_port,optional"`

	// "tcp", the default, or "udp".
	Protocol string `hcl:"protocol,optional"`

	// Environment variables.
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`

	// Environment variables from Secrets Manager or the Parameter Store: ARNs
	// by variable.
	Secrets map[string]string `hcl:"secrets,optional"`

	// How ECS checks it.
	HealthCheck *SidecarCheck `hcl:"health_check,block"`
}

// SidecarCheck is a sidecar's own check.
type SidecarCheck struct {
	// A command for the container's shell, or a list that begins with "CMD" or
	// "CMD-SHELL".
	Command []string `hcl:"command"`

	// Seconds between two checks, 30 by default.
	Interval int `hcl:"interval,optional"`

	// After how many seconds a check has failed, 5 by default.
	Timeout int `hcl:"timeout,optional"`

	// How many checks in a row must fail, 3 by default.
	Retries int `hcl:"retries,optional"`

	// Seconds after the start in which failing does not count.
	StartPeriod int `hcl:"start_period,optional"`
}

// ReleaserConfig is the use block of the releaser. It may be left out: the
// platform's is used then.
type ReleaserConfig struct {
	// As in the deploy block. Without a load balancer there is no traffic to
	// share.
	DisableALB bool `hcl:"disable_alb,optional"`

	// As in the deploy block. Traffic of an existing service goes to all its
	// tasks.
	Service string `hcl:"service,optional"`
}
