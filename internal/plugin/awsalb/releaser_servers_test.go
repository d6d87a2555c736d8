//go:build servers

package awsalb_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/elb"
	"github.com/deploy-action/deploy-action/internal/cloud/vpc"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/awsalb"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// targets is a deployment that has nothing but its target group.
type targets struct{ ARN string }

func (targets) Vars() map[string]cty.Value          { return nil }
func (targets) URL() string                         { return "" }
func (targets) Generation() string                  { return "" }
func (d targets) TargetGroup() (arn, region string) { return d.ARN, "us-east-1" }

// account is an AWS account, as its owner sees it.
type account struct {
	config sdk.Config
	elb    *elbv2.Client
	host   component.Host
}

func newAccount(t *testing.T, moto *servers.MotoServer) *account {
	t.Helper()
	host := component.Host{Progress: plugintest.Quiet{}, HTTP: &http.Client{Transport: &http.Transport{}}, Getenv: moto.Getenv, Mask: func(secret.Text) {}}
	session, err := aws.Open(host, "")
	if err != nil {
		t.Fatal(err)
	}
	config, err := session.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &account{config, elbv2.NewFromConfig(config), host}
}

// deploy makes a deployment with one healthy target.
func (a *account) deploy(t *testing.T, app component.App, id string) component.Deployment {
	t.Helper()
	network, err := vpc.New(a.config).Network(t.Context(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	arn, err := elb.New(a.config, plugintest.Quiet{}).EnsureGroup(t.Context(), elb.Group{
		App: app, ID: id, Sequence: 1, Type: types.TargetTypeEnumIp, VPC: network.VPC, Port: 3000,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.elb.RegisterTargets(t.Context(), &elbv2.RegisterTargetsInput{
		TargetGroupArn: &arn, Targets: []types.TargetDescription{{Id: new("172.31.0.10")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return targets{arn}
}

// traffic returns the percentage of a listener's traffic by the name of the
// target group, in all rules that somebody can reach.
func (a *account) traffic(t *testing.T) map[string]int {
	t.Helper()
	shares := map[string]int{}
	balancers, err := a.elb.DescribeLoadBalancers(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, balancer := range balancers.LoadBalancers {
		listeners, err := a.elb.DescribeListeners(t.Context(), &elbv2.DescribeListenersInput{LoadBalancerArn: balancer.LoadBalancerArn})
		if err != nil {
			t.Fatal(err)
		}
		for _, listener := range listeners.Listeners {
			rules, err := a.elb.DescribeRules(t.Context(), &elbv2.DescribeRulesInput{ListenerArn: listener.ListenerArn})
			if err != nil {
				t.Fatal(err)
			}
			for _, rule := range rules.Rules {
				if len(rule.Conditions) > 0 && rule.Conditions[0].HostHeaderConfig != nil && strings.HasSuffix(rule.Conditions[0].HostHeaderConfig.Values[0], ".invalid") {
					continue
				}
				maps.Copy(shares, forwarded(rule))
			}
		}
	}
	return shares
}

// forwarded is what a rule gives to target groups.
func forwarded(rule types.Rule) map[string]int {
	shares := map[string]int{}
	for _, action := range rule.Actions {
		if action.ForwardConfig == nil {
			continue
		}
		for _, group := range action.ForwardConfig.TargetGroups {
			if weight := int(sdk.ToInt32(group.Weight)); weight > 0 {
				shares[strings.Split(sdk.ToString(group.TargetGroupArn), "/")[1]] = weight
			}
		}
	}
	return shares
}

func TestReleaser(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*testing.T, *account) string{
		"own":      func(*testing.T, *account) string { return `port = 8080` },
		"existing": func(t *testing.T, a *account) string { return fmt.Sprintf(`listener_arn = %q`, a.listener(t)) },
	}
	for name, config := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			moto := servers.Moto(t)
			plugintest.Releaser(t, plugintest.ReleaserCase{
				Plugin: awsalb.Plugin, RealTime: true, Sample: 10,
				New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
					moto.Reset(t)
					a := newAccount(t, moto)
					return plugintest.World{
						Host: component.Host{HTTP: a.host.HTTP, Getenv: moto.Getenv}, Config: config(t, a), Reads: servers.ReadsAWS,
						Traffic: func(component.App) map[string]int {
							if traffic := a.traffic(t); len(traffic) > 0 {
								return traffic
							}
							return nil
						},
					}
				},
				Deploy: func(t *testing.T, _ plugintest.World, app component.App, id string) component.Deployment {
					return newAccount(t, moto).deploy(t, app, id)
				},
			})
		})
	}
}

// listener makes a load balancer with a listener of the account's owner.
func (a *account) listener(t *testing.T) string {
	t.Helper()
	network, err := vpc.New(a.config).Network(t.Context(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	balancer, err := a.elb.CreateLoadBalancer(t.Context(), &elbv2.CreateLoadBalancerInput{Name: new("shared"), Subnets: network.Subnets})
	if err != nil {
		t.Fatal(err)
	}
	made, err := a.elb.CreateListener(t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn, Port: new(int32(80)), Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: new("404")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sdk.ToString(made.Listeners[0].ListenerArn)
}

func (a *account) open(t *testing.T, body string) component.AnyReleaser {
	t.Helper()
	r, err := tryOpen(t, a.host, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (a *account) release(t *testing.T, r component.AnyReleaser, app component.App, id string, d component.Deployment, percent int) (component.Release, error) {
	t.Helper()
	return r.Release(t.Context(), component.ReleaseRequest[component.Deployment]{
		Target: component.Target[component.Deployment]{App: app, ID: id, Sequence: 1, Deployment: d}, Percent: percent,
	})
}

// TestAlarm shows a release that is refused while an alarm is on, and taken back
// when it goes on.
func TestAlarm(t *testing.T) {
	t.Parallel()
	moto := servers.Moto(t)
	a := newAccount(t, moto)
	alarms := &alarms{RoundTripper: a.host.HTTP.Transport, state: "OK"}
	a.host.HTTP.Transport = alarms
	app := component.App{Project: "acme", Name: "web", Workspace: "default"}
	first, second := a.deploy(t, app, "web-1"), a.deploy(t, app, "web-2")
	if _, err := a.release(t, a.open(t, ``), app, "web-1", first, 100); err != nil {
		t.Fatal(err)
	}
	r := a.open(t, "alarm = \"errors\"\nalarm_wait = \"3s\"")
	_, err := a.release(t, a.open(t, `alarm = "eror"`), app, "web-2", second, 100)
	wantProblem(t, err, "alarm", `no alarm "eror"`)
	alarms.state = "ALARM"
	_, err = a.release(t, r, app, "web-2", second, 100)
	wantProblem(t, err, "alarm", "5 of 5 requests failed. No traffic was moved")
	// The alarm goes on when traffic has moved: after the request that moves it.
	alarms.state, alarms.onAt = "OK", "Weight=50"
	_, err = a.release(t, a.open(t, "alarm = \"errors\"\nalarm_wait = \"1h\""), app, "web-2", second, 50)
	wantProblem(t, err, "alarm", "given back")
	if traffic := a.traffic(t); !maps.Equal(traffic, map[string]int{"web-1": 100}) {
		t.Errorf("after the alarm traffic goes to %v", traffic)
	}
	alarms.state, alarms.onAt = "OK", "never"
	if _, err = a.release(t, r, app, "web-2", second, 100); err != nil {
		t.Errorf("releasing without an alarm: %v", err)
	}
}

// alarms stands in for CloudWatch, whose protocol moto does not speak: it has
// the alarm "errors".
type alarms struct {
	http.RoundTripper
	state cbor.String
	onAt  string // goes on after a request with this in its body
}

// RoundTrip implements [http.RoundTripper].
func (a *alarms) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	if !strings.HasSuffix(req.URL.Path, "/operation/DescribeAlarms") {
		response, err := a.RoundTripper.RoundTrip(req)
		if a.onAt != "" && strings.Contains(string(body), a.onAt) {
			a.state = "ALARM"
		}
		return response, err
	}
	found := cbor.List{}
	if bytes.Contains(body, []byte("errors")) {
		found = append(found, cbor.Map{"AlarmName": cbor.String("errors"), "StateValue": a.state, "StateReason": cbor.String("5 of 5 requests failed.")})
	}
	answer := cbor.Encode(cbor.Map{"MetricAlarms": found})
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}, "Content-Type": {"application/cbor"}},
		Body: io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer)), Request: req,
	}, nil
}

// TestPreviews has many apps share one listener at the same time.
func TestPreviews(t *testing.T) {
	t.Parallel()
	a := newAccount(t, servers.Moto(t))
	listener := a.listener(t)
	app := func(i int) component.App {
		return component.App{Project: "acme", Name: "web", Workspace: fmt.Sprintf("pr-%d", i)}
	}
	config := func(i int) string {
		return fmt.Sprintf("listener_arn = %q\ndomain_name = \"pr-%d.example.com\"", listener, i)
	}
	const previews = 6
	releases := make([]component.Release, previews)
	var work errgroup.Group
	for i := range previews {
		d, r := a.deploy(t, app(i), fmt.Sprintf("web-%d", i)), a.open(t, config(i))
		work.Go(func() (err error) {
			releases[i], err = a.release(t, r, app(i), fmt.Sprintf("web-%d", i), d, 100)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	if traffic := a.traffic(t); len(traffic) != previews {
		t.Errorf("the listener forwards to %v, want %d groups", traffic, previews)
	}
	if url := releases[3].URL(); url != "http://pr-3.example.com" {
		t.Errorf("a preview is at %q", url)
	}
	_, err := a.release(t, a.open(t, fmt.Sprintf("listener_arn = %q", listener)), app(100), "web-100", a.deploy(t, app(100), "web-100"), 100)
	if err != nil {
		t.Errorf("an app for all other requests: %v", err)
	}
	_, err = a.release(t, a.open(t, fmt.Sprintf("listener_arn = %q", listener)), app(101), "web-101", a.deploy(t, app(101), "web-101"), 100)
	wantProblem(t, err, "listener_arn", "set domain_name")
	for i := range previews {
		if err := a.open(t, config(i)).Destroy(t.Context(), app(i), releases[i]); err != nil {
			t.Errorf("destroying preview %d: %v", i, err)
		}
	}
	if traffic := a.traffic(t); !maps.Equal(traffic, map[string]int{"web-100": 100}) {
		t.Errorf("after the previews the listener forwards to %v", traffic)
	}
}

// TestRecord makes, keeps and removes the record of a name, and leaves those of
// others.
func TestRecord(t *testing.T) {
	t.Parallel()
	a := newAccount(t, servers.Moto(t))
	dns := route53.NewFromConfig(a.config)
	zone, err := dns.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: new("example.com."), CallerReference: new("1")})
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimPrefix(sdk.ToString(zone.HostedZone.Id), "/hostedzone/")
	_, err = dns.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &id, ChangeBatch: &r53types.ChangeBatch{
		Changes: []r53types.Change{{Action: r53types.ChangeActionCreate, ResourceRecordSet: &r53types.ResourceRecordSet{
			Name: new("taken.example.com."), Type: r53types.RRTypeA, TTL: new(int64(60)), ResourceRecords: []r53types.ResourceRecord{{Value: new("192.0.2.1")}},
		}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	names := func() string {
		t.Helper()
		all, err := dns.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &id})
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, record := range all.ResourceRecordSets {
			if record.Type == r53types.RRTypeA || record.Type == r53types.RRTypeTxt {
				list = append(list, string(record.Type)+" "+sdk.ToString(record.Name))
			}
		}
		return strings.Join(list, ", ")
	}
	app := component.App{Project: "acme", Name: "web", Workspace: "default"}
	d := a.deploy(t, app, "web-1")
	_, err = a.release(t, a.open(t, fmt.Sprintf("zone_id = %q\ndomain_name = \"taken.example.com\"", id)), app, "web-1", d, 100)
	wantProblem(t, err, "domain_name", "that this program did not make")
	r := a.open(t, fmt.Sprintf("zone_id = %q\ndomain_name = \"Shop.example.com\"", id))
	var made component.Release
	for range 2 {
		if made, err = a.release(t, r, app, "web-1", d, 100); err != nil {
			t.Fatal(err)
		}
	}
	if made.URL() != "http://shop.example.com" {
		t.Errorf("the release is at %q", made.URL())
	}
	if got, want := names(), "A shop.example.com., TXT _deploy-action.shop.example.com., A taken.example.com."; got != want {
		t.Errorf("the zone has %s, want %s", got, want)
	}
	other := app
	other.Name = "api"
	if err := r.Destroy(t.Context(), other, made); err != nil || !strings.Contains(names(), "A shop.example.com.") {
		t.Errorf("destroying the release of another app: %v, then the zone has %s", err, names())
	}
	for range 2 {
		if err := r.Destroy(t.Context(), app, made); err != nil {
			t.Errorf("Destroy() = %v", err)
		}
	}
	if got := names(); got != "A taken.example.com." {
		t.Errorf("after a destroy the zone has %s", got)
	}
}
