//go:build servers

package elb_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/elb"
	"github.com/deploy-action/deploy-action/internal/cloud/vpc"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// world is an account with a client of ours and one of its owner.
type world struct {
	*elb.Client
	owner   *elbv2.Client
	config  sdk.Config
	network vpc.Network
	app     component.App
}

func newWorld(t *testing.T, moto *servers.MotoServer, app string) *world {
	t.Helper()
	host := component.Host{Progress: plugintest.Quiet{}, HTTP: http.DefaultClient, Getenv: moto.Getenv}
	session, err := aws.Open(host, "")
	if err != nil {
		t.Fatal(err)
	}
	config, err := session.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	network, err := vpc.New(config).Network(t.Context(), nil, "subnets")
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		elb.New(config, plugintest.Quiet{}), elbv2.NewFromConfig(config), config, network,
		component.App{Project: "acme", Name: app, Workspace: "default"},
	}
}

// group makes a target group.
func (w *world) group(t *testing.T, id string) string {
	t.Helper()
	arn, err := w.EnsureGroup(t.Context(), elb.Group{
		App: w.app, ID: id, Sequence: 1, Type: types.TargetTypeEnumIp, VPC: w.network.VPC, Port: 3000, Check: elb.Check{Path: "/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

func (w *world) ensure(t *testing.T, s elb.Settings) *elb.Front {
	t.Helper()
	front, err := w.Ensure(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return front
}

// traffic returns the weights of an app's target groups, by name, in a listener.
func (w *world) traffic(t *testing.T, listener string, groups map[string]string) map[string]int {
	t.Helper()
	rules, err := w.owner.DescribeRules(t.Context(), &elbv2.DescribeRulesInput{ListenerArn: &listener})
	if err != nil {
		t.Fatal(err)
	}
	weights := map[string]int{}
	for _, rule := range rules.Rules {
		for _, action := range rule.Actions {
			if action.ForwardConfig == nil || strings.Contains(fmt.Sprint(rule.Conditions[0].HostHeaderConfig), ".invalid") {
				continue
			}
			for _, tuple := range action.ForwardConfig.TargetGroups {
				for name, arn := range groups {
					if arn == sdk.ToString(tuple.TargetGroupArn) {
						weights[name] = int(sdk.ToInt32(tuple.Weight))
					}
				}
			}
		}
	}
	return weights
}

func TestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Moto(t), "web")
	settings := elb.Settings{App: w.app}
	groups := map[string]string{}
	check := func(when string, front *elb.Front, want map[string]int) {
		t.Helper()
		got := w.traffic(t, front.Listener(), groups)
		maps.DeleteFunc(got, func(_ string, weight int) bool { return weight == 0 })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("traffic %s (-want +got):\n%s", when, diff)
		}
	}
	front := w.ensure(t, settings)
	for i := range 8 {
		name := fmt.Sprintf("web-%d", i)
		groups[name] = w.group(t, name)
		if err := front.Attach(t.Context(), groups[name]); err != nil {
			t.Fatal(err)
		}
		for _, percent := range []int{10, 10, 100, 100} {
			if err := front.Shift(t.Context(), groups[name], percent); err != nil {
				t.Fatalf("giving %s %d %%: %v", name, percent, err)
			}
			want := map[string]int{name: percent}
			if former := fmt.Sprintf("web-%d", i-1); i > 0 && percent < 100 {
				want[former] = 100 - percent
			} else {
				want[name] = 100
			}
			check("after a shift", front, want)
		}
	}
	if err := front.Shift(t.Context(), groups["web-6"], 100); err != nil {
		t.Fatal(err)
	}
	check("after a rollback", front, map[string]int{"web-6": 100})
	for name := range groups {
		if err := w.RemoveGroup(t.Context(), w.app, name); err != nil {
			t.Errorf("removing %s: %v", name, err)
		}
	}
	for range 2 {
		if err := w.Destroy(t.Context(), settings); err != nil {
			t.Errorf("Destroy() = %v", err)
		}
	}
	if found, err := w.Find(t.Context(), settings); err != nil || found != nil {
		t.Errorf("Find() after a destroy = %v, %v, want nothing", found, err)
	}
}
