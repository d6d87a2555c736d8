package awsec2

// Config is the use block of the platform.
type Config struct {
	// The region to run in. The image must be there.
	Region string `hcl:"region"`

	// The type of the instances, such as "t3.small".
	InstanceType string `hcl:"instance_type"`

	// The port on which the app serves. The load balancer sends requests there.
	ServicePort int `hcl:"service_port"`

	// Further ports to open.
	ExtraPorts []int `hcl:"extra_ports,optional"`

	// Name of the key pair with which one may sign in to the instances. It does
	// not open port 22: name that in extra_ports.
	Key string `hcl:"key,optional"`

	// IDs of security groups for the instances, in place of one that is made
	// and opens service_port and extra_ports to everyone.
	SecurityGroups []string `hcl:"security_groups,optional"`

	// ID of the subnet to run in; see subnets.
	Subnet string `hcl:"subnet,optional"`

	// IDs of the subnets to run in. By default they are the region's default
	// subnets.
	Subnets []string `hcl:"subnets,optional"`

	// Name of the instance profile whose role the instances have. By default
	// they have none.
	InstanceProfile string `hcl:"instance_profile,optional"`

	// The path that the load balancer asks an instance for to see whether it is
	// well; "/" by default.
	HealthCheckPath string `hcl:"health_check_path,optional"`

	// How many instances there are.
	Count *Count `hcl:"count,block"`

	// Whether sensitive values of the app's config block may be given to the
	// instances. They are in the user data then, which everybody can read who may
	// describe launch templates, and every process of an instance.
	PlaintextSecrets bool `hcl:"plaintext_secrets,optional"`
}

// Count is how many instances there are.
type Count struct {
	// How many there are at first: max by default.
	Desired int `hcl:"desired,optional"`

	// How many there are at least: 1 by default.
	Min int `hcl:"min,optional"`

	// How many there are at most: desired by default, or else min.
	Max int `hcl:"max,optional"`
}
