package elb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// Health is how the targets of a group fare. Those that are leaving do not
// count.
type Health struct {
	Exists  bool // the group does
	Healthy int
	Total   int
	Unused  bool // no load balancer looks at the targets
	Reason  string
	hint    string // what to do about Reason; or ""
}

// Health asks how the targets of a group fare.
func (c *Client) Health(ctx context.Context, group string) (Health, error) {
	answer, err := c.elb.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})
	if _, gone := errors.AsType[*types.TargetGroupNotFoundException](err); gone {
		return Health{}, nil
	}
	if err != nil {
		return Health{}, err
	}
	return summary(answer.TargetHealthDescriptions), nil
}

// summary counts targets, and gives the reason of the first that is not well.
func summary(targets []types.TargetHealthDescription) Health {
	health := Health{Exists: true}
	for _, target := range targets {
		state := target.TargetHealth
		if state == nil || state.State == types.TargetHealthStateEnumDraining {
			continue
		}
		health.Total++
		switch state.State {
		case types.TargetHealthStateEnumHealthy:
			health.Healthy++
			continue
		case types.TargetHealthStateEnumUnavailable: // nobody checks it: a function
			health.Healthy++
			continue
		case types.TargetHealthStateEnumUnused:
			health.Unused = health.Unused || state.Reason == types.TargetHealthReasonEnumNotInUse
		}
		if health.Reason == "" {
			health.Reason, health.hint = explain(target)
		}
	}
	return health
}

// hints say what to do about why a target is not healthy.
var hints = map[types.TargetHealthReasonEnum]string{
	types.TargetHealthReasonEnumTimeout: "Nothing answered in time: check that the app listens on all addresses at that port, " +
		"and that the target's security group lets the load balancer in.",
	types.TargetHealthReasonEnumFailedHealthChecks: "Nothing answered: check that the app listens on all addresses at that port, " +
		"and that the target's security group lets the load balancer in.",
	types.TargetHealthReasonEnumResponseCodeMismatch: "The app answered the health check with another status: name a path that it answers with 200, or the status that it gives.",
	types.TargetHealthReasonEnumInvalidState:         "The instance has stopped.",
	types.TargetHealthReasonEnumIpUnusable:           "The load balancer's own address cannot be a target.",
	types.TargetHealthReasonEnumNotInUse:             "No listener forwards to the target group, or the target's zone is not one of the load balancer's.",
}

// explain says in one line what is wrong with a target, and what to do.
func explain(target types.TargetHealthDescription) (reason, hint string) {
	name := "a target"
	if target.Target != nil {
		name = sdk.ToString(target.Target.Id)
		if target.Target.Port != nil {
			name = fmt.Sprintf("%s:%d", name, *target.Target.Port)
		}
	}
	reason = fmt.Sprintf("%s is %s", name, target.TargetHealth.State)
	if said := strings.TrimRight(sdk.ToString(target.TargetHealth.Description), ". "); said != "" {
		reason += ": " + said
	} else if code := target.TargetHealth.Reason; code != "" {
		reason += ": " + string(code)
	}
	return reason, hints[target.TargetHealth.Reason]
}

// Message says how the targets fare, in one line.
func (h Health) Message() string {
	message := fmt.Sprintf("%d of %d targets healthy", h.Healthy, h.Total)
	if h.Reason != "" {
		message += "; " + h.Reason
	}
	return message
}

// Problem says that the targets did not become healthy, and why.
func (h Health) Problem(want int, err error) error {
	detail := fmt.Sprintf("Of %s %d %s healthy.", plural(max(want, h.Total), "target"), h.Healthy, isAre(h.Healthy))
	switch {
	case h.Reason != "":
		detail = strings.ToUpper(h.Reason[:1]) + h.Reason[1:] + ". " + strings.TrimSpace(detail+" "+h.hint)
	case h.Total < want:
		detail += fmt.Sprintf(" Only %s registered with the target group.", plural(h.Total, "target"))
	}
	return &diag.Problem{Summary: "The targets of the load balancer are not healthy", Detail: detail, Err: err}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// hopeless are the reasons that no waiting changes.
var hopeless = []types.TargetHealthReasonEnum{types.TargetHealthReasonEnumIpUnusable}

// patience is between two looks at targets.
const patience = 2 * time.Second

// AwaitHealthy waits until a target group has at least want healthy targets and
// none that is not, and shows what it waits for. The group must be attached to
// a front, else nobody looks at its targets. The end of ctx is a problem that
// says why the targets are not healthy. The function watch, which may be nil,
// is called between two looks; its error ends the wait.
func (c *Client) AwaitHealthy(ctx context.Context, group string, want int, step component.Step, watch func(context.Context) error) error {
	var last Health
	err := retry.Poll(ctx, patience, func(ctx context.Context) (bool, error) {
		answer, err := c.elb.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})
		if err != nil {
			return false, err
		}
		last = summary(answer.TargetHealthDescriptions)
		if last.Healthy >= want && last.Healthy == last.Total {
			return true, nil
		}
		for _, target := range answer.TargetHealthDescriptions {
			if target.TargetHealth != nil && slices.Contains(hopeless, target.TargetHealth.Reason) {
				return false, last.Problem(want, nil)
			}
		}
		step.Update("%s", last.Message())
		if watch == nil {
			return false, nil
		}
		return false, watch(ctx)
	})
	if err != nil && ctx.Err() != nil && last.Exists {
		return last.Problem(want, context.Cause(ctx))
	}
	return err
}
