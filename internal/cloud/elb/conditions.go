package elb

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// parkedSuffix ends the host that a rule waits for before the first release.
// Nobody can ask for it, but the load balancer looks after the rule's targets.
const parkedSuffix = ".parked.invalid"

// conditions say which requests are the app's.
func (f *Front) conditions() []types.RuleCondition {
	if f.settings.Domain != "" && !f.own {
		return hosts(f.settings.Domain)
	}
	return []types.RuleCondition{{Field: new("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{"/*"}}}}
}

// parked is a condition that no request meets.
func parked(app component.App) []types.RuleCondition {
	return hosts(aws.Name(app, 63) + parkedSuffix)
}

func hosts(name string) []types.RuleCondition {
	return []types.RuleCondition{{Field: new("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{name}}}}
}

// values are the hosts or paths that a condition asks for.
func values(c types.RuleCondition) []string {
	switch {
	case c.HostHeaderConfig != nil:
		return c.HostHeaderConfig.Values
	case c.PathPatternConfig != nil:
		return c.PathPatternConfig.Values
	}
	return c.Values
}

// plain returns conditions in the one of two forms that the API takes; it
// returns both at once.
func plain(conditions []types.RuleCondition) []types.RuleCondition {
	conditions = slices.Clone(conditions)
	for i, c := range conditions {
		if c.HostHeaderConfig != nil || c.PathPatternConfig != nil {
			conditions[i].Values = nil
		}
	}
	return conditions
}

func isParked(conditions []types.RuleCondition) bool {
	return slices.ContainsFunc(conditions, func(c types.RuleCondition) bool {
		return slices.ContainsFunc(values(c), func(v string) bool { return strings.HasSuffix(v, parkedSuffix) })
	})
}

func sameConditions(a, b []types.RuleCondition) bool {
	return slices.EqualFunc(a, b, func(x, y types.RuleCondition) bool {
		return sdk.ToString(x.Field) == sdk.ToString(y.Field) && slices.Equal(values(x), values(y))
	})
}

// shares reads which target groups an action forwards to.
func shares(actions []types.Action) []share {
	var all []share
	for _, action := range actions {
		if action.Type != types.ActionTypeEnumForward {
			continue
		}
		if action.ForwardConfig == nil || len(action.ForwardConfig.TargetGroups) == 0 {
			return append(all, share{sdk.ToString(action.TargetGroupArn), 100})
		}
		for _, group := range action.ForwardConfig.TargetGroups {
			weight := int32(1)
			if group.Weight != nil {
				weight = *group.Weight
			}
			all = append(all, share{sdk.ToString(group.TargetGroupArn), int(weight)})
		}
	}
	return all
}

// forward is the action that gives shares.
func forward(shares []share) []types.Action {
	var groups []types.TargetGroupTuple
	for _, s := range shares {
		groups = append(groups, types.TargetGroupTuple{TargetGroupArn: new(s.group), Weight: new(int32(s.weight))})
	}
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: groups}}}
}

// The priorities of our rules. Rules for one host go anywhere below those for
// all requests, which come last.
const (
	lastPriority     = 50000
	lastHostPriority = 40000
)

// priority chooses a free one. For a host it is any, so that many who choose at
// the same time seldom choose the same.
func (f *Front) priority(rules []types.Rule) int {
	taken := map[int]bool{}
	for _, rule := range rules {
		taken[rank(&rule)] = true
	}
	if f.settings.Domain != "" && !f.own {
		for {
			if number := 1 + rand.IntN(lastHostPriority); !taken[number] {
				return number
			}
		}
	}
	number := lastPriority
	for taken[number] && number > 1 {
		number--
	}
	return number
}

// unreached reports that another rule takes all requests, so that the app would
// get none, or would take them from it.
func (f *Front) unreached(ours *types.Rule, rules []types.Rule) error {
	if f.settings.Domain != "" || f.own {
		return nil
	}
	for _, rule := range rules {
		all := len(rule.Conditions) == 1 && sdk.ToString(rule.Conditions[0].Field) == "path-pattern" && slices.Contains(values(rule.Conditions[0]), "/*")
		later := ours != nil && !isParked(ours.Conditions) && rank(&rule) >= rank(ours)
		if !all || later {
			continue
		}
		return &diag.Problem{
			Summary: "Another rule takes all requests of the listener",
			Detail: fmt.Sprintf("The rule %s of the listener takes every path. Apps share a listener by their hosts: "+
				"set %s, so that this app gets the requests for it.", sdk.ToString(rule.RuleArn), cmp.Or(f.settings.Attrs.Domain, "a domain name")),
			Attr: f.settings.Attrs.Listener,
		}
	}
	return nil
}

// rank is a rule's priority; lower goes first.
func rank(rule *types.Rule) int {
	number, err := strconv.Atoi(sdk.ToString(rule.Priority))
	if err != nil {
		return lastPriority + 1
	}
	return number
}
