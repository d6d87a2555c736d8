package awsalb

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/elb"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Deployment is what can be released: one whose instances are the targets of a
// target group.
type Deployment interface {
	component.Deployment

	// TargetGroup returns the target group's ARN and region.
	TargetGroup() (arn, region string)
}

// Release is what is remembered of a release.
type Release struct {
	Region   string `json:"region"`
	Listener string `json:"listener_arn"`
	Address  string `json:"url"`
}

// URL implements [component.Release].
func (r Release) URL() string { return r.Address }

// releaser shifts the weights of an app's rule.
type releaser struct {
	host component.Host
	cfg  Config
	wait time.Duration // for which an alarm is watched
}

var _ component.Releaser[Deployment, Release] = (*releaser)(nil)

// validName is what AWS takes as a load balancer's name.
var validName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)

func openReleaser(h component.Host, c Config) (component.Releaser[Deployment, Release], error) {
	wait := time.Minute
	if c.AlarmWait != "" {
		parsed, err := time.ParseDuration(c.AlarmWait)
		if err != nil || parsed < 0 {
			return nil, &diag.Problem{
				Summary: "No such time", Detail: fmt.Sprintf("%q is no length of time. Write one as \"90s\" or \"5m\".", c.AlarmWait), Attr: "alarm_wait",
			}
		}
		wait = parsed
	}
	if c.Name != "" && (!validName.MatchString(c.Name) || strings.HasPrefix(c.Name, "internal-")) {
		return nil, &diag.Problem{
			Summary: "No name for a load balancer",
			Detail: fmt.Sprintf("%q is not what AWS takes as the name of a load balancer: up to 32 letters, digits and dashes, "+
				"without a dash at either end, and without \"internal-\" at the beginning.", c.Name),
			Attr: "name",
		}
	}
	if c.Port < 0 || c.Port > 65535 {
		return nil, &diag.Problem{
			Summary: "No such port", Detail: fmt.Sprintf("%d is not the number of a port. Ports are numbered from 1 to 65535.", c.Port), Attr: "port",
		}
	}
	if c.ZoneID != "" && c.DomainName == "" {
		return nil, &diag.Problem{
			Summary: "A zone without a name",
			Detail:  "zone_id says in which zone a record is made, and nothing says of which name. Set domain_name too, or remove zone_id.", Attr: "zone_id",
		}
	}
	if c.ListenerARN != "" && listenerRegion(c.ListenerARN) == "" {
		return nil, &diag.Problem{
			Summary: "No ARN of a listener",
			Detail: fmt.Sprintf("%q is not the ARN of a load balancer's listener, which looks like "+
				"arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/app/NAME/ID/ID.", c.ListenerARN),
			Attr: "listener_arn",
		}
	}
	return &releaser{h, c, wait}, nil
}

// listenerRegion returns the region in the ARN of a listener; "" for any other
// text.
func listenerRegion(text string) string {
	parsed, err := arn.Parse(text)
	if err != nil || parsed.Service != "elasticloadbalancing" || !strings.HasPrefix(parsed.Resource, "listener/") {
		return ""
	}
	return parsed.Region
}

// clients are those of one region.
type clients struct {
	elb   *elb.Client
	watch *cloudwatch.Client
}

func (r *releaser) open(ctx context.Context, region string) (clients, error) {
	session, err := aws.Open(r.host, region)
	if err != nil {
		return clients{}, err
	}
	cfg, err := session.Config(ctx)
	if err != nil {
		return clients{}, err
	}
	return clients{elb.New(cfg, r.host.Progress), cloudwatch.NewFromConfig(cfg)}, nil
}

// settings are those of an app's front.
func (r *releaser) settings(app component.App) elb.Settings {
	s := elb.Settings{
		App: app, Listener: r.cfg.ListenerARN, Domain: strings.ToLower(strings.TrimSuffix(r.cfg.DomainName, ".")), Zone: r.cfg.ZoneID,
		Attrs: elb.Attrs{Subnets: "subnets", Domain: "domain_name", Listener: "listener_arn"},
	}
	if s.Listener == "" {
		s.Name, s.Port, s.Certificate, s.Internal = r.cfg.Name, r.cfg.Port, r.cfg.Certificate, r.cfg.Internal
		s.Subnets, s.SecurityGroups = r.cfg.Subnets, r.cfg.SecurityGroupIDs
	}
	return s
}

// Plan implements [component.Releaser]. Before there is a deployment the region
// is not known, and so nothing of what exists there.
func (r *releaser) Plan(ctx context.Context, req component.ReleaseRequest[Deployment]) (component.Plan, error) {
	group, region := "", listenerRegion(r.cfg.ListenerARN)
	if req.Target.Deployment != nil {
		group, region = req.Target.Deployment.TargetGroup()
	}
	if region == "" {
		subject := "load balancer/" + cmp.Or(r.cfg.Name, aws.Name(req.Target.App, 32))
		return component.Plan{Changes: []component.Change{{
			Action: component.Update, Subject: subject, Reason: "made where it does not exist; the new deployment gets the traffic",
		}}}, nil
	}
	c, err := r.open(ctx, region)
	if err != nil {
		return component.Plan{}, err
	}
	return c.elb.Plan(ctx, r.settings(req.Target.App), group, req.Percent)
}

// Release implements [component.Releaser]. Traffic moves when the targets are
// healthy in the eyes of the load balancer.
func (r *releaser) Release(ctx context.Context, req component.ReleaseRequest[Deployment]) (Release, error) {
	group, region := req.Target.Deployment.TargetGroup()
	if group == "" {
		return Release{}, &diag.Problem{
			Summary: "The deployment has no target group",
			Detail:  fmt.Sprintf("Deployment %s was made without a target group, so no load balancer can send it traffic. Deploy again.", req.Target.ID),
		}
	}
	if r.cfg.ListenerARN != "" && listenerRegion(r.cfg.ListenerARN) != region {
		return Release{}, &diag.Problem{
			Summary: "The listener is in another region",
			Detail:  fmt.Sprintf("The deployment is in %s and the listener in %s. A load balancer serves its own region only.", region, listenerRegion(r.cfg.ListenerARN)),
			Attr:    "listener_arn",
		}
	}
	c, err := r.open(ctx, region)
	if err != nil {
		return Release{}, err
	}
	if err := r.checkAlarm(ctx, c.watch); err != nil {
		return Release{}, err
	}
	front, err := c.elb.Ensure(ctx, r.settings(req.Target.App))
	if err != nil {
		return Release{}, err
	}
	if err := front.Attach(ctx, group); err != nil {
		return Release{}, err
	}
	if err := front.Await(ctx); err != nil {
		return Release{}, err
	}
	err = r.host.Progress.Step(ctx, "Waiting for healthy targets", func(ctx context.Context, step component.Step) error {
		return c.elb.AwaitHealthy(ctx, group, 1, step, nil)
	})
	if err != nil {
		return Release{}, err
	}
	if err := front.Shift(ctx, group, req.Percent); err != nil {
		return Release{}, err
	}
	return Release{region, front.Listener(), front.URL()}, r.watchAlarm(ctx, c.watch, front)
}

// Destroy implements [component.Releaser].
func (r *releaser) Destroy(ctx context.Context, app component.App, made Release) error {
	region := cmp.Or(made.Region, listenerRegion(r.cfg.ListenerARN))
	c, err := r.open(ctx, region)
	if err != nil {
		return err
	}
	if settings := r.settings(app); settings.Listener != "" || settings.Name != "" {
		if err := c.elb.Destroy(ctx, settings); err != nil {
			return err
		}
	}
	if made.Listener != "" && made.Listener != r.cfg.ListenerARN {
		if err := c.elb.Destroy(ctx, elb.Settings{App: app, Listener: made.Listener}); err != nil {
			return err
		}
	}
	own := r.settings(app)
	own.Listener, own.Name = "", ""
	return c.elb.Destroy(ctx, own)
}
