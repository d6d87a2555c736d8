package awsecs

import (
	"errors"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// problems returns the problems joined in an error.
func problems(err error) []*diag.Problem {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*diag.Problem
		for _, e := range joined.Unwrap() {
			all = append(all, problems(e)...)
		}
		return all
	}
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		return []*diag.Problem{p}
	}
	return nil
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		c          Config
		attr, says string
	}{
		"nothing":                    {Config{}, "memory", "A task needs `memory`"},
		"no such memory":             {Config{Memory: 700}, "memory", "Fargate has no tasks with 700 MiB"},
		"no such cpu":                {Config{Memory: 1024, CPU: 2048}, "cpu", "these processor units: 256, 512; cpu is 2048"},
		"reservation above memory":   {Config{Memory: 512, MemoryReservation: 1024}, "memory_reservation", "from 4 to memory, which is 512"},
		"negative count":             {Config{Memory: 512, Count: new(-1)}, "count", "it is -1"},
		"architecture":               {Config{Memory: 512, Architecture: "arm"}, "architecture", "arm64"},
		"port":                       {Config{Memory: 512, ServicePort: 70000}, "service_port", "70000"},
		"public address on machines": {Config{Memory: 512, EC2Cluster: true, AssignPublicIP: new(true)}, "assign_public_ip", "Only tasks on Fargate"},
		"a secret's value":           {Config{Memory: 512, Secrets: map[string]string{"TOKEN": "hunter2"}}, "secrets", `"TOKEN" must have the ARN`},
		"log mode":                   {Config{Memory: 512, Logging: &Logging{Mode: "async"}}, "logging.mode", `"async" is no mode`},
		"buffer without a mode":      {Config{Memory: 512, Logging: &Logging{MaxBufferSize: "1m"}}, "logging.max_buffer_size", "non-blocking"},
		"check without balancer":     {Config{Memory: 512, DisableALB: true, HealthCheck: &HealthCheck{}}, "health_check", "disable_alb"},
		"check without end":          {Config{Memory: 512, HealthCheck: &HealthCheck{Timeout: 30}}, "health_check.timeout", "may take 30 seconds, and begins every 30"},
		"balancer twice":             {Config{Memory: 512, DisableALB: true, ALB: &ALB{}}, "alb", "Remove one of the two"},
		"zone without a name":        {Config{Memory: 512, ALB: &ALB{ZoneID: "Z1"}}, "alb.zone_id", "domain_name, which is missing"},
		"name without a zone":        {Config{Memory: 512, ALB: &ALB{DomainName: "shop.test"}}, "alb.domain_name", "zone_id"},
		"existing balancer":          {Config{Memory: 512, ALB: &ALB{LoadBalancerARN: "arn:x", Internal: true}}, "alb.load_balancer_arn", "cannot be said"},
		"twins":                      {Config{Memory: 512, Sidecars: []Sidecar{{Name: "a"}, {Name: "a"}}}, "sidecar.name", `two sidecars "a"`},
		"greedy sidecars":            {Config{Memory: 512, Sidecars: []Sidecar{{Name: "a", Memory: 512}}}, "memory", "nothing is left for the app"},
		"sidecar on a machine":       {Config{Memory: 512, EC2Cluster: true, Sidecars: []Sidecar{{Name: "a"}}}, "sidecar.memory", "memory of its own"},
		"sidecar's ports":            {Config{Memory: 512, Sidecars: []Sidecar{{Name: "a", ContainerPort: 80, HostPort: 81}}}, "sidecar.host_port", "host_port is 81"},
		"a service with memory":      {Config{Service: "shop", Memory: 512}, "memory", `service "shop" is kept by somebody else`},
		"a service with a balancer":  {Config{Service: "shop", ALB: &ALB{}}, "alb", "remove `service` to have a service made"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := problems(c.c.check())
			if len(all) != 1 || all[0].Attr != c.attr || !strings.Contains(all[0].Detail, c.says) {
				t.Errorf("check() has %d problems, %+v; want one at %q that says %q", len(all), all, c.attr, c.says)
			}
			if len(all) == 1 && strings.Contains(all[0].Detail, "hunter2") {
				t.Error("the problem shows a secret")
			}
		})
	}
}

func TestConfigThatIsRight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"least":              {Memory: 512},
		"most":               {Memory: 30720, CPU: 4096},
		"machines":           {Memory: 700, EC2Cluster: true},
		"health check":       {Memory: 512, HealthCheck: &HealthCheck{}}, // Waypoint refuses it
		"preview":            {Memory: 512, ALB: &ALB{LoadBalancerARN: "arn:x", DomainName: "pr-1.shop.test"}},
		"record on existing": {Memory: 512, ALB: &ALB{LoadBalancerARN: "arn:x", DomainName: "shop.test", ZoneID: "Z1"}},
		"somebody's service": {Service: "shop", Cluster: "prod", Container: "web"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := c.check(); err != nil {
				t.Errorf("check() = %v", err)
			}
		})
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	for memory, want := range map[int]string{
		512: "256", 1024: "256, 512", 2048: "256, 512, 1024", 3072: "512, 1024", 4096: "512, 1024, 2048", 7168: "1024, 2048",
		8192: "1024, 2048, 4096", 15360: "2048, 4096", 20480: "4096, 8192", 30720: "4096", 1536: "", 130000: "",
	} {
		if got := list(units(memory)); got != want {
			t.Errorf("units(%d) = %s, want %s", memory, got, want)
		}
	}
}
