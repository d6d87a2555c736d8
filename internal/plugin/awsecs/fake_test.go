//go:build servers

package awsecs

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// account is an AWS account: moto, with what it has not of ECS added on the way.
// In moto a service runs from the moment it is made, and never rolls anything
// out; it has no tasks.
type account struct {
	moto *servers.MotoServer

	mu      sync.Mutex
	answers map[string]func(in map[string]any) (status int, out map[string]any) // by operation; a nil out is moto's answer
	edits   map[string]func(out map[string]any)                                 // of moto's answers, after our own
	count   map[string]int                                                      // calls by operation
	bodies  []string                                                            // of all changing calls

	registered any // the ARN of the revision that was registered last
}

func newAccount(t *testing.T, moto *servers.MotoServer) *account {
	t.Helper()
	moto.Reset(t)
	return &account{
		moto: moto, count: map[string]int{},
		answers: map[string]func(map[string]any) (int, map[string]any){},
		edits:   map[string]func(map[string]any){},
	}
}

// host is what a plugin is given.
func (a *account) host() component.Host {
	return component.Host{HTTP: &http.Client{Transport: a}, Getenv: a.moto.Getenv}
}

// RoundTrip implements [http.RoundTripper].
func (a *account) RoundTrip(req *http.Request) (*http.Response, error) {
	operation := servers.AWSOperation(req)
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	a.mu.Lock()
	a.count[operation]++
	if !servers.ReadsAWS(req) {
		a.bodies = append(a.bodies, operation+" "+string(body))
	}
	answer, edit := a.answers[operation], a.edits[operation]
	a.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(body))

	if operation == "DescribeTargetHealth" {
		return response(req, http.StatusOK, []byte(healthyTarget)), nil
	}
	if answer != nil {
		var in map[string]any
		_ = json.Unmarshal(body, &in) // a query has no fields that a test looks at
		if status, out := answer(in); out != nil {
			return jsonResponse(req, status, out)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	edited := edit != nil || operation == "DescribeServices" || operation == "DescribeClusters" || operation == "RegisterTaskDefinition"
	if err != nil || resp.StatusCode != http.StatusOK || !edited {
		return resp, err
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return nil, err
	}
	if r, ok := out["taskDefinition"].(map[string]any); ok {
		a.mu.Lock()
		a.registered = r["taskDefinitionArn"]
		a.mu.Unlock()
	}
	for _, s := range objects(out["services"]) {
		for _, d := range objects(s["deployments"]) {
			d["taskDefinition"] = s["taskDefinition"]
		}
	}
	for _, c := range objects(out["clusters"]) {
		c["activeServicesCount"], c["runningTasksCount"] = c["runningTasksCount"], 0
	}
	if edit != nil {
		edit(out)
	}
	return jsonResponse(req, http.StatusOK, out)
}

// objects returns the objects of a JSON array.
func objects(value any) []map[string]any {
	var all []map[string]any
	items, _ := value.([]any)
	for _, item := range items {
		if object, ok := item.(map[string]any); ok {
			all = append(all, object)
		}
	}
	return all
}

const healthyTarget = `<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><DescribeTargetHealthResult>
<TargetHealthDescriptions><member><Target><Id>172.31.0.9</Id><Port>3000</Port></Target><TargetHealth><State>healthy</State></TargetHealth></member></TargetHealthDescriptions>
</DescribeTargetHealthResult></DescribeTargetHealthResponse>`

func jsonResponse(req *http.Request, status int, out map[string]any) (*http.Response, error) {
	body, err := json.Marshal(out)
	return response(req, status, body), err
}

func response(req *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Request: req, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, ProtoMajor: 1, ProtoMinor: 1,
	}
}

// owner is the account's owner, who looks at it without us.
type owner struct {
	t   *testing.T
	cfg sdk.Config
}

func (a *account) owner(t *testing.T) owner {
	return owner{t, sdk.Config{
		Region: "us-east-1", BaseEndpoint: &a.moto.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}}
}

// must returns what a call returned, and ends the test where it failed.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// exists lists what is in the account that somebody made, and may go.
func (o owner) exists() []string {
	var all []string
	ecsClient := ecs.NewFromConfig(o.cfg)
	clusters := must(ecsClient.ListClusters(o.t.Context(), &ecs.ListClustersInput{}))(o.t)
	for _, arn := range clusters.ClusterArns {
		described := must(ecsClient.DescribeClusters(o.t.Context(), &ecs.DescribeClustersInput{Clusters: []string{arn}}))(o.t)
		if sdk.ToString(described.Clusters[0].Status) == "INACTIVE" {
			continue
		}
		all = append(all, arn)
		services := must(ecsClient.ListServices(o.t.Context(), &ecs.ListServicesInput{Cluster: &arn}))(o.t)
		if len(services.ServiceArns) == 0 {
			continue
		}
		running := must(ecsClient.DescribeServices(o.t.Context(), &ecs.DescribeServicesInput{Cluster: &arn, Services: services.ServiceArns}))(o.t)
		for _, s := range running.Services {
			if sdk.ToString(s.Status) == "ACTIVE" {
				all = append(all, sdk.ToString(s.ServiceArn))
			}
		}
	}
	revisions := must(ecsClient.ListTaskDefinitions(o.t.Context(), &ecs.ListTaskDefinitionsInput{Status: types.TaskDefinitionStatusActive}))(o.t)
	all = append(all, revisions.TaskDefinitionArns...)
	for _, s := range must(secretsmanager.NewFromConfig(o.cfg).ListSecrets(o.t.Context(), nil))(o.t).SecretList {
		all = append(all, sdk.ToString(s.ARN))
	}
	for _, r := range must(iam.NewFromConfig(o.cfg).ListRoles(o.t.Context(), nil))(o.t).Roles {
		all = append(all, sdk.ToString(r.Arn))
	}
	for _, g := range must(ec2.NewFromConfig(o.cfg).DescribeSecurityGroups(o.t.Context(), nil))(o.t).SecurityGroups {
		if sdk.ToString(g.GroupName) != "default" {
			all = append(all, sdk.ToString(g.GroupName))
		}
	}
	balancers := elbv2.NewFromConfig(o.cfg)
	for _, b := range must(balancers.DescribeLoadBalancers(o.t.Context(), nil))(o.t).LoadBalancers {
		all = append(all, sdk.ToString(b.LoadBalancerArn))
	}
	for _, g := range must(balancers.DescribeTargetGroups(o.t.Context(), nil))(o.t).TargetGroups {
		all = append(all, sdk.ToString(g.TargetGroupArn))
	}
	return all
}

// traffic returns the percentage of the traffic by deployment.
func (o owner) traffic() map[string]int {
	client := elbv2.NewFromConfig(o.cfg)
	names := map[string]string{}
	for _, g := range must(client.DescribeTargetGroups(o.t.Context(), nil))(o.t).TargetGroups {
		names[sdk.ToString(g.TargetGroupArn)] = sdk.ToString(g.TargetGroupName)
	}
	shares := map[string]int{}
	for _, b := range must(client.DescribeLoadBalancers(o.t.Context(), nil))(o.t).LoadBalancers {
		listeners := must(client.DescribeListeners(o.t.Context(), &elbv2.DescribeListenersInput{LoadBalancerArn: b.LoadBalancerArn}))(o.t)
		for _, l := range listeners.Listeners {
			rules := must(client.DescribeRules(o.t.Context(), &elbv2.DescribeRulesInput{ListenerArn: l.ListenerArn}))(o.t)
			for _, r := range rules.Rules {
				if strings.Contains(string(must(json.Marshal(r.Conditions))(o.t)), ".invalid") || len(r.Actions) == 0 || r.Actions[0].ForwardConfig == nil {
					continue
				}
				for _, g := range r.Actions[0].ForwardConfig.TargetGroups {
					if weight := int(sdk.ToInt32(g.Weight)); weight > 0 {
						shares[names[sdk.ToString(g.TargetGroupArn)]] = weight
					}
				}
			}
		}
	}
	return shares
}

// quick is a platform that hardly waits.
var quick = tempo{20 * time.Millisecond, 0}
