//go:build servers

package awsec2_test

import (
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/awsec2"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// image is one that moto knows.
const image = "ami-03cf127a"

const settings = `
region            = "us-east-1"
instance_type     = "t3.small"
service_port      = 8080
plaintext_secrets = true
`

// account is an AWS account, as its owner sees it.
type account struct {
	ec2     *ec2.Client
	scaling *autoscaling.Client
	elb     *elbv2.Client
	http    *http.Client
}

func newAccount(t *testing.T, moto *servers.MotoServer) *account {
	t.Helper()
	host := component.Host{Progress: plugintest.Quiet{}, HTTP: &http.Client{Transport: &http.Transport{}}, Getenv: moto.Getenv, Mask: func(secret.Text) {}}
	session, err := aws.Open(host, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := session.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &account{ec2.NewFromConfig(cfg), autoscaling.NewFromConfig(cfg), elbv2.NewFromConfig(cfg), host.HTTP}
}

// exists lists what there is beside what every account has.
func (a *account) exists(t *testing.T) []string {
	t.Helper()
	var all []string
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	groups, err := a.ec2.DescribeSecurityGroups(t.Context(), nil)
	check(err)
	for _, g := range groups.SecurityGroups {
		if sdk.ToString(g.GroupName) != "default" {
			all = append(all, "security group "+sdk.ToString(g.GroupName))
		}
	}
	templates, err := a.ec2.DescribeLaunchTemplates(t.Context(), nil)
	check(err)
	for _, l := range templates.LaunchTemplates {
		all = append(all, "launch template "+sdk.ToString(l.LaunchTemplateName))
	}
	scaling, err := a.scaling.DescribeAutoScalingGroups(t.Context(), nil)
	check(err)
	for _, g := range scaling.AutoScalingGroups {
		all = append(all, "auto scaling group "+sdk.ToString(g.AutoScalingGroupName))
	}
	targets, err := a.elb.DescribeTargetGroups(t.Context(), nil)
	check(err)
	for _, g := range targets.TargetGroups {
		all = append(all, "target group "+sdk.ToString(g.TargetGroupName))
	}
	instances, err := a.ec2.DescribeInstances(t.Context(), nil)
	check(err)
	for _, r := range instances.Reservations {
		for _, i := range r.Instances {
			if i.State.Name != types.InstanceStateNameTerminated {
				all = append(all, "instance "+sdk.ToString(i.InstanceId))
			}
		}
	}
	return all
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	moto := servers.Moto(t)
	plugintest.Platform(t, plugintest.PlatformCase{
		Plugin: awsec2.Plugin, RealTime: true, Sample: 10,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			moto.Reset(t)
			a := newAccount(t, moto)
			return plugintest.World{
				Host: component.Host{HTTP: a.http, Getenv: moto.Getenv}, Config: settings, Reads: servers.ReadsAWS,
				Artifact: artifact.MachineImage{ID: image, Region: "us-east-1"},
				Exists:   func() []string { return a.exists(t) },
			}
		},
	})
}

// TestUserData shows what an instance is started with.
func TestUserData(t *testing.T) {
	t.Parallel()
	moto := servers.Moto(t)
	a := newAccount(t, moto)
	p := open(t, component.Host{Progress: plugintest.Quiet{}, HTTP: a.http, Getenv: moto.Getenv}, settings+`
		key = "operators"
		count {
			min = 1
			max = 3
		}`)
	request := newRequest("web-1")
	request.Env = map[string]component.Setting{"GREETING": {Text: `say "hi" for $5`}, "TOKEN": {Text: "abc", Sensitive: true}}
	if _, err := p.Deploy(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	found, err := a.ec2.DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: new("web-1"), Versions: []string{"$Latest"}})
	if err != nil {
		t.Fatal(err)
	}
	data := found.LaunchTemplateVersions[0].LaunchTemplateData
	if got := decoded(t, sdk.ToString(data.UserData)); !strings.Contains(got, `GREETING="say \"hi\" for \$5"`) || !strings.Contains(got, `TOKEN="abc"`) {
		t.Errorf("the instance's environment is %q", got)
	}
	if sdk.ToString(data.KeyName) != "operators" || string(data.MetadataOptions.HttpTokens) != "required" {
		t.Errorf("the instance starts with %+v", data)
	}
	target := component.Target[component.Deployment]{App: request.App, ID: "web-1"}
	health, err := p.Status(t.Context(), target)
	if err != nil || health.State != component.Ready || health.Message != "3 of 3 instances in service" {
		t.Errorf("Status() = %+v, %v, want three instances", health, err)
	}
}
