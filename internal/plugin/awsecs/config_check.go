package awsecs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// The defaults of attributes.
const (
	defaultCluster  = "waypoint"
	defaultPort     = 3000
	defaultLogGroup = "waypoint-logs"

	defaultTimeout  = 5
	defaultInterval = 30
)

// cluster, port and count are attributes with their defaults.
func (c Config) cluster() string  { return cmp.Or(c.Cluster, defaultCluster) }
func (c Config) port() int32      { return int32(cmp.Or(c.ServicePort, defaultPort)) }
func (c Config) logGroup() string { return cmp.Or(c.LogGroup, defaultLogGroup) }

func (c Config) count() int32 {
	if c.Count == nil {
		return 1
	}
	return int32(*c.Count)
}

// balanced reports whether a load balancer sends traffic to the tasks.
func (c Config) balanced() bool { return !c.DisableALB && c.Service == "" }

// check returns everything that is wrong with a use block by itself.
func (c Config) check() error {
	if c.Service != "" {
		return c.checkExisting()
	}
	return errors.Join(
		c.checkSize(), c.checkArchitecture(), c.checkNetwork(), c.checkSecrets(),
		c.checkLogging(), c.checkHealth(), c.checkALB(), c.checkSidecars(),
	)
}

// wrong is a problem of one attribute.
func wrong(attr, summary, detail string, args ...any) error {
	return &diag.Problem{Summary: summary, Detail: fmt.Sprintf(detail, args...), Attr: attr}
}

// checkExisting refuses what describes a new service.
func (c Config) checkExisting() error {
	var errs []error
	for _, a := range []struct {
		name string
		set  bool
	}{
		{"memory", c.Memory != 0},
		{"cpu", c.CPU != 0},
		{"memory_reservation", c.MemoryReservation != 0},
		{"count", c.Count != nil},
		{"service_port", c.ServicePort != 0},
		{"architecture", c.Architecture != ""},
		{"static_environment", len(c.StaticEnvironment) > 0},
		{"secrets", len(c.Secrets) > 0},
		{"subnets", len(c.Subnets) > 0},
		{"security_group_ids", len(c.SecurityGroupIDs) > 0},
		{"assign_public_ip", c.AssignPublicIP != nil},
		{"execution_role_name", c.ExecutionRoleName != ""},
		{"task_role_name", c.TaskRoleName != ""},
		{"task_role_policy_arns", len(c.TaskRolePolicyARNs) > 0},
		{"log_group", c.LogGroup != ""},
		{"logging", c.Logging != nil},
		{"ec2_cluster", c.EC2Cluster},
		{"disable_alb", c.DisableALB},
		{"target_group_protocol", c.TargetGroupProtocol != ""},
		{"target_group_protocol_version", c.TargetGroupProtocolVersion != ""},
		{"health_check", c.HealthCheck != nil},
		{"alb", c.ALB != nil},
		{"sidecar", len(c.Sidecars) > 0},
	} {
		if a.set {
			errs = append(errs, wrong(a.name, "Not ours to say with an existing service",
				"The service %q is kept by somebody else, and a deploy changes its image and the variables of the config block only. "+
					"Remove %q here, or remove `service` to have a service made.", c.Service, a.name))
		}
	}
	return errors.Join(errs...)
}

// sizes are the amounts of memory, in MiB, that Fargate has for an amount of
// processor units.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
var sizes = []struct{ cpu, from, to, step int }{
	{256, 512, 1024, 512},
	{256, 2048, 2048, 1024},
	{512, 1024, 4096, 1024},
	{1024, 2048, 8192, 1024},
	{2048, 4096, 16384, 1024},
	{4096, 8192, 30720, 1024},
	{8192, 16384, 61440, 4096},
	{16384, 32768, 122880, 8192},
}

// units returns the processor units that Fargate has for a memory, fewest
// first.
func units(memory int) []int {
	var all []int
	for _, s := range sizes {
		if memory >= s.from && memory <= s.to && (memory-s.from)%s.step == 0 {
			all = append(all, s.cpu)
		}
	}
	return all
}

func (c Config) checkSize() error {
	var errs []error
	if c.Count != nil && *c.Count < 0 {
		errs = append(errs, wrong("count", "Negative number of tasks", "The number of tasks must be 0 or more; it is %d.", *c.Count))
	}
	switch {
	case c.Memory == 0:
		errs = append(errs, wrong("memory", "Memory is missing", "A task needs `memory`, in MiB, such as 512. To deploy to a service that exists, name it with `service`."))
	case c.Memory < 4:
		errs = append(errs, wrong("memory", "Too little memory", "A task needs 4 MiB of memory at least; memory is %d.", c.Memory))
	case !c.EC2Cluster && units(c.Memory) == nil:
		errs = append(errs, wrong("memory", "Fargate has no such memory",
			"Fargate has no tasks with %d MiB. It has 512, and from 1024 to 30720 every 1024, with more in steps of 4096 and 8192.", c.Memory))
	case !c.EC2Cluster && c.CPU != 0 && !slices.Contains(units(c.Memory), c.CPU):
		errs = append(errs, wrong("cpu", "Fargate has no such processor",
			"With %d MiB of memory Fargate has these processor units: %s; cpu is %d.", c.Memory, list(units(c.Memory)), c.CPU))
	}
	if c.MemoryReservation != 0 && (c.MemoryReservation < 4 || c.MemoryReservation > c.Memory) {
		errs = append(errs, wrong("memory_reservation", "No such reservation",
			"The reservation must be from 4 to memory, which is %d; it is %d.", c.Memory, c.MemoryReservation))
	}
	return errors.Join(errs...)
}

// list joins numbers for people.
func list(numbers []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ", "), "[]")
}

func (c Config) checkArchitecture() error {
	if c.Architecture == "" || architectureOf(c.Architecture) != "" {
		return nil
	}
	return wrong("architecture", "Unknown architecture", "%q is no architecture of ECS. Write \"x86_64\" or \"arm64\".%s",
		c.Architecture, diag.Suggest(strings.ToLower(c.Architecture), []string{"x86_64", "arm64"}))
}

// architectureOf returns what ECS calls an architecture; "" where it knows none
// of that name.
func architectureOf(name string) types.CPUArchitecture {
	switch strings.ToUpper(name) {
	case "X86_64", "AMD64":
		return types.CPUArchitectureX8664
	case "ARM64":
		return types.CPUArchitectureArm64
	}
	return ""
}

func (c Config) checkNetwork() error {
	var errs []error
	if c.ServicePort < 0 || c.ServicePort > 65535 {
		errs = append(errs, noPort("service_port", c.ServicePort))
	}
	if c.EC2Cluster && c.AssignPublicIP != nil && *c.AssignPublicIP {
		errs = append(errs, wrong("assign_public_ip", "No public address on a machine of the cluster",
			"Only tasks on Fargate can have a public address. Remove assign_public_ip, or ec2_cluster."))
	}
	return errors.Join(errs...)
}

func noPort(attr string, number int) error {
	return wrong(attr, "No such port", "%d is not the number of a port. Ports are numbered from 1 to 65535.", number)
}

func (c Config) checkSecrets() error {
	var errs []error
	for name, value := range c.Secrets {
		if !strings.HasPrefix(value, "arn:") {
			errs = append(errs, wrong("secrets", "Not the ARN of a secret",
				"The variable %q must have the ARN of a secret or parameter, such as \"arn:aws:ssm:REGION:ACCOUNT:parameter/NAME\". "+
					"A value itself belongs in the app's config block.", name))
		}
	}
	return errors.Join(errs...)
}

func (c Config) checkLogging() error {
	if c.Logging == nil {
		return nil
	}
	mode := c.Logging.Mode
	if mode != "" && mode != "blocking" && mode != "non-blocking" {
		return wrong("logging.mode", "Unknown log mode", "%q is no mode. Write \"blocking\" or \"non-blocking\".%s",
			mode, diag.Suggest(mode, []string{"blocking", "non-blocking"}))
	}
	if c.Logging.MaxBufferSize != "" && mode != "non-blocking" {
		return wrong("logging.max_buffer_size", "Nothing is buffered", "A buffer is used with mode = \"non-blocking\" only.")
	}
	return nil
}

func (c Config) checkHealth() error {
	h := c.HealthCheck
	if h == nil {
		return nil
	}
	if c.DisableALB {
		return wrong("health_check", "Nobody checks", "The check is the load balancer's, and disable_alb leaves none. Remove one of the two.")
	}
	timeout, interval := cmp.Or(h.Timeout, defaultTimeout), cmp.Or(h.Interval, defaultInterval)
	if timeout >= interval {
		return wrong("health_check.timeout", "Check takes longer than its interval",
			"A check may take %d seconds, and begins every %d. The timeout must be below the interval.", timeout, interval)
	}
	return nil
}

func (c Config) checkALB() error {
	a := c.ALB
	if a == nil {
		return nil
	}
	var errs []error
	if c.DisableALB {
		errs = append(errs, wrong("alb", "Load balancer described and disabled", "disable_alb leaves no load balancer. Remove one of the two."))
	}
	if a.ZoneID != "" && a.DomainName == "" {
		errs = append(errs, wrong("alb.zone_id", "A zone and no name", "The zone is for a record of domain_name, which is missing."))
	}
	if a.ZoneID == "" && a.DomainName != "" && a.LoadBalancerARN == "" {
		errs = append(errs, wrong("alb.domain_name", "A name and no zone", "zone_id says which Route 53 zone gets the record of %q.", a.DomainName))
	}
	if a.LoadBalancerARN != "" && (a.Internal || len(a.SecurityGroupIDs) > 0 || len(a.Subnets) > 0) {
		errs = append(errs, wrong("alb.load_balancer_arn", "Existing load balancer described",
			"With load_balancer_arn the load balancer is one that exists, so internal, subnets and security_group_ids cannot be said."))
	}
	if a.IngressPort < 0 || a.IngressPort > 65535 {
		errs = append(errs, noPort("alb.ingress_port", a.IngressPort))
	}
	return errors.Join(errs...)
}

func (c Config) checkSidecars() error {
	var errs []error
	names, memory := map[string]bool{}, 0
	for _, s := range c.Sidecars {
		memory += s.Memory
		switch {
		case names[s.Name]:
			errs = append(errs, wrong("sidecar.name", "Two sidecars of one name", "There are two sidecars %q. Rename one.", s.Name))
		case c.EC2Cluster && s.Memory == 0 && s.MemoryReservation == 0:
			errs = append(errs, wrong("sidecar.memory", "Memory of a sidecar is missing",
				"On a machine of the cluster each container needs memory of its own: set memory or memory_reservation of sidecar %q.", s.Name))
		case s.Memory != 0 && s.MemoryReservation > s.Memory:
			errs = append(errs, wrong("sidecar.memory_reservation", "No such reservation",
				"The reservation of sidecar %q is %d MiB, more than its memory of %d.", s.Name, s.MemoryReservation, s.Memory))
		case s.ContainerPort < 0 || s.ContainerPort > 65535:
			errs = append(errs, noPort("sidecar.container_port", s.ContainerPort))
		case s.HostPort != 0 && s.HostPort != s.ContainerPort:
			errs = append(errs, wrong("sidecar.host_port", "Two numbers for one port",
				"Each task has an address of its own, at which sidecar %q serves on its container_port, %d; host_port is %d. Leave it out.",
				s.Name, s.ContainerPort, s.HostPort))
		}
		names[s.Name] = true
	}
	if !c.EC2Cluster && c.Memory != 0 && memory >= c.Memory {
		errs = append(errs, wrong("memory", "Sidecars take all the memory",
			"A task has %d MiB, of which its sidecars may take %d, so nothing is left for the app.", c.Memory, memory))
	}
	return errors.Join(errs...)
}
