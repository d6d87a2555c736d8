package elb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// Settings say where the traffic of an app comes in. All but App may be zero.
type Settings struct {
	App component.App

	Name           string   // of the app's own load balancer, or of one that exists; "" makes one up
	LoadBalancer   string   // ARN of one that exists, in place of an own one
	Listener       string   // ARN of one that exists, in place of Port and Certificate
	Port           int      // 0 is 443 with a certificate and else 80
	Certificate    string   // ARN; with one the listener speaks HTTPS
	Internal       bool     // the own load balancer is for the network only
	Subnets        []string // of the own load balancer
	SecurityGroups []string // of the own load balancer, in place of one that lets everyone in

	Domain string // the host whose requests are the app's; on an own load balancer all requests are
	Zone   string // ID of the Route 53 zone that gets a record for Domain; "" for none

	// Attrs are how the attributes of the use block are called that hold some of
	// these, for problems: those of subnets, domain and listener.
	Attrs Attrs
}

// Attrs are the names of attributes.
type Attrs struct{ Subnets, Domain, Listener, LoadBalancer string }

// own reports whether the load balancer is to be the app's own. One with its
// name may exist that is somebody else's.
func (s Settings) own() bool { return s.LoadBalancer == "" && s.Listener == "" }

// port is where the listener listens.
func (s Settings) port() int {
	if s.Certificate != "" {
		return cmp.Or(s.Port, 443)
	}
	return cmp.Or(s.Port, 80)
}

// name is that of the own load balancer.
func (s Settings) name() string { return cmp.Or(s.Name, aws.Name(s.App, 32)) }

// Front is where the traffic of an app comes in: a listener that exists.
type Front struct {
	client   *Client
	settings Settings
	balancer types.LoadBalancer
	listener types.Listener
	changed  *change  // by the last Shift; nil if it changed nothing
	own      bool     // the load balancer is the app's
	former   []string // the app's other listeners of its own load balancer: it was at another port once
}

// Listener returns the ARN of the listener.
func (f *Front) Listener() string { return sdk.ToString(f.listener.ListenerArn) }

// LoadBalancer returns the ARN of the load balancer.
func (f *Front) LoadBalancer() string { return sdk.ToString(f.balancer.LoadBalancerArn) }

// SecurityGroups returns the IDs of the load balancer's security groups.
func (f *Front) SecurityGroups() []string { return f.balancer.SecurityGroups }

// VPC returns the ID of the load balancer's network.
func (f *Front) VPC() string { return sdk.ToString(f.balancer.VpcId) }

// URL returns where users reach the app.
func (f *Front) URL() string {
	scheme, usual := "http", 80
	if f.listener.Protocol == types.ProtocolEnumHttps {
		scheme, usual = "https", 443
	}
	host := cmp.Or(f.settings.Domain, sdk.ToString(f.balancer.DNSName))
	if port := int(sdk.ToInt32(f.listener.Port)); port != 0 && port != usual {
		host = net.JoinHostPort(host, strconv.Itoa(port))
	}
	return scheme + "://" + host
}

// Find returns the front of settings; nil where it has not been made. It
// changes nothing.
func (c *Client) Find(ctx context.Context, s Settings) (*Front, error) {
	balancer, listeners, err := c.look(ctx, s)
	if err != nil || balancer == nil {
		return nil, err
	}
	listener := choose(listeners, s)
	if listener == nil {
		return nil, nil
	}
	return c.front(ctx, s, balancer, listener, listeners)
}

// front puts together what exists.
func (c *Client) front(ctx context.Context, s Settings, balancer *types.LoadBalancer, listener *types.Listener, all []types.Listener) (*Front, error) {
	front := &Front{client: c, settings: s, balancer: *balancer, listener: *listener}
	if !s.own() {
		return front, nil
	}
	var others []string
	for _, other := range all {
		if arn := sdk.ToString(other.ListenerArn); arn != front.Listener() {
			others = append(others, arn)
		}
	}
	tags, err := c.tags(ctx, append(others, front.LoadBalancer())...)
	front.own = aws.Shared(tags[front.LoadBalancer()], s.App)
	front.former = slices.DeleteFunc(others, func(arn string) bool { return !aws.Shared(tags[arn], s.App) })
	return front, err
}

// look returns the load balancer of settings with its listeners; nil where
// there is none yet. What settings name by ARN must exist.
func (c *Client) look(ctx context.Context, s Settings) (*types.LoadBalancer, []types.Listener, error) {
	arn := s.LoadBalancer
	if s.Listener != "" {
		listener, err := c.named(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		arn = sdk.ToString(listener.LoadBalancerArn)
	}
	request := &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{arn}}
	if arn == "" {
		request = &elbv2.DescribeLoadBalancersInput{Names: []string{s.name()}}
	}
	balancers, err := c.elb.DescribeLoadBalancers(ctx, request)
	if _, gone := errors.AsType[*types.LoadBalancerNotFoundException](err); gone || err == nil && len(balancers.LoadBalancers) == 0 {
		if s.own() {
			return nil, nil, nil
		}
		return nil, nil, unknown("load balancer", arn, s.Attrs.LoadBalancer, err)
	}
	if err != nil {
		return nil, nil, err
	}
	balancer := balancers.LoadBalancers[0]
	if balancer.Type != types.LoadBalancerTypeEnumApplication {
		return nil, nil, &diag.Problem{
			Summary: "This is no Application Load Balancer",
			Detail:  fmt.Sprintf("%s is a load balancer of the type %q, which has no rules. Name one of the type \"application\".", sdk.ToString(balancer.LoadBalancerArn), balancer.Type),
			Attr:    cmp.Or(s.Attrs.LoadBalancer, s.Attrs.Listener),
		}
	}
	listeners, err := c.listeners(ctx, &balancer)
	return &balancer, listeners, err
}

// named returns the listener that settings name.
func (c *Client) named(ctx context.Context, s Settings) (types.Listener, error) {
	answer, err := c.elb.DescribeListeners(ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{s.Listener}})
	if _, gone := errors.AsType[*types.ListenerNotFoundException](err); gone || err == nil && len(answer.Listeners) == 0 {
		return types.Listener{}, unknown("listener", s.Listener, s.Attrs.Listener, err)
	}
	if err != nil {
		return types.Listener{}, err
	}
	return answer.Listeners[0], nil
}

// unknownError says that what the settings name does not exist.
type unknownError struct{ *diag.Problem }

// Unwrap returns the problem.
func (e *unknownError) Unwrap() error { return e.Problem }

func unknown(what, arn, attr string, err error) error {
	return &unknownError{&diag.Problem{
		Summary: "No such " + what,
		Detail:  fmt.Sprintf("The account has no %s %s in this region. Correct the ARN, or leave it out to have a load balancer made.", what, arn),
		Attr:    attr, Err: err,
	}}
}

// listeners returns all listeners of a load balancer. One that is gone has none.
func (c *Client) listeners(ctx context.Context, balancer *types.LoadBalancer) ([]types.Listener, error) {
	var all []types.Listener
	pages := elbv2.NewDescribeListenersPaginator(c.elb, &elbv2.DescribeListenersInput{LoadBalancerArn: balancer.LoadBalancerArn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if _, gone := errors.AsType[*types.LoadBalancerNotFoundException](err); gone {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, page.Listeners...)
	}
	return all, nil
}

// choose returns the listener of settings; nil where there is none.
func choose(listeners []types.Listener, s Settings) *types.Listener {
	at := slices.IndexFunc(listeners, func(l types.Listener) bool {
		if s.Listener != "" {
			return sdk.ToString(l.ListenerArn) == s.Listener
		}
		return int(sdk.ToInt32(l.Port)) == s.port()
	})
	if at < 0 {
		return nil
	}
	return &listeners[at]
}

// Await waits until the load balancer takes traffic, which a new one does after
// minutes.
func (f *Front) Await(ctx context.Context) error {
	if state := f.balancer.State; state == nil || state.Code != types.LoadBalancerStateEnumProvisioning {
		return f.failed()
	}
	title := "Waiting for load balancer " + sdk.ToString(f.balancer.LoadBalancerName)
	return f.client.progress.Step(ctx, title, func(ctx context.Context, step component.Step) error {
		return retry.Poll(ctx, 2*time.Second, func(ctx context.Context) (bool, error) {
			answer, err := f.client.elb.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{f.LoadBalancer()}})
			if err != nil || len(answer.LoadBalancers) == 0 {
				return false, err
			}
			f.balancer = answer.LoadBalancers[0]
			if err := f.failed(); err != nil {
				return false, err
			}
			if f.balancer.State != nil && f.balancer.State.Code == types.LoadBalancerStateEnumProvisioning {
				step.Update("AWS is still setting it up, which takes two or three minutes")
				return false, nil
			}
			return true, nil
		})
	})
}

func (f *Front) failed() error {
	state := f.balancer.State
	if state == nil || state.Code != types.LoadBalancerStateEnumFailed {
		return nil
	}
	return &diag.Problem{
		Summary: "The load balancer could not be set up",
		Detail:  fmt.Sprintf("AWS says of %s: %s.", f.LoadBalancer(), strings.TrimRight(cmp.Or(sdk.ToString(state.Reason), "no reason"), ". ")),
	}
}
