package elb

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/deploy-action/deploy-action/internal/diag"
)

func target(state types.TargetHealthStateEnum, reason types.TargetHealthReasonEnum, description string) types.TargetHealthDescription {
	return types.TargetHealthDescription{
		Target:       &types.TargetDescription{Id: new("10.0.0.7"), Port: new(int32(8080))},
		TargetHealth: &types.TargetHealth{State: state, Reason: reason, Description: new(description)},
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	well := target(types.TargetHealthStateEnumHealthy, "", "")
	cases := map[string]struct {
		targets        []types.TargetHealthDescription
		healthy, total int
		says, detail   string
	}{
		"well":     {[]types.TargetHealthDescription{well, well}, 2, 2, "2 of 2 targets healthy", "Of 3 targets 2 are healthy. Only 2 targets registered"},
		"function": {[]types.TargetHealthDescription{target(types.TargetHealthStateEnumUnavailable, "", "")}, 1, 1, "1 of 1", "Of 3 targets 1 is healthy"},
		"leaving":  {[]types.TargetHealthDescription{well, target(types.TargetHealthStateEnumDraining, "", "")}, 1, 1, "1 of 1", "Only 1 target registered"},
		"wrong status": {
			[]types.TargetHealthDescription{target(types.TargetHealthStateEnumUnhealthy, types.TargetHealthReasonEnumResponseCodeMismatch, "Health checks failed with these codes: [404]")},
			0, 1, "0 of 1 targets healthy; 10.0.0.7:8080 is unhealthy: Health checks failed with these codes: [404]",
			"name a path that it answers with 200",
		},
		"unreached": {
			[]types.TargetHealthDescription{target(types.TargetHealthStateEnumUnhealthy, types.TargetHealthReasonEnumTimeout, "Request timed out")},
			0, 1, "Request timed out", "security group lets the load balancer in",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := summary(c.targets)
			if got.Healthy != c.healthy || got.Total != c.total || !strings.Contains(got.Message(), c.says) {
				t.Errorf("summary() = %+v, which says %q, want %d of %d and %q", got, got.Message(), c.healthy, c.total, c.says)
			}
			problem, ok := errors.AsType[*diag.Problem](got.Problem(3, nil))
			if !ok || !strings.Contains(problem.Detail, c.detail) {
				t.Errorf("the problem is %+v, want %q", problem, c.detail)
			}
		})
	}
}
