package awsec2

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// lookInterval is between two looks at a group.
const lookInterval = 2 * time.Second

// await waits until the desired number of instances is in service. An instance
// that could not be started, or that ended, fails the deployment at once: the
// group would try the same again for ever.
func (p *platform) await(ctx context.Context, c clients, app component.App, made *Deployment, step component.Step) error {
	var first types.Instance
	err := retry.Poll(ctx, lookInterval, func(ctx context.Context) (bool, error) {
		g, err := group(ctx, c, app, made.Name)
		if err != nil || g == nil {
			return false, err // what was just made may not be shown yet
		}
		serving := inService(g)
		if want := int(sdk.ToInt32(g.DesiredCapacity)); len(serving) >= want && want > 0 {
			first = serving[0]
			return true, nil
		}
		step.Update("%d of %d instances in service", len(serving), sdk.ToInt32(g.DesiredCapacity))
		done, err := activities(ctx, c, made.Name)
		if err != nil {
			return false, err
		}
		return false, p.failed(ctx, c, done)
	})
	if err != nil {
		return err
	}
	return p.address(ctx, c, sdk.ToString(first.InstanceId), made)
}

// address notes where the first instance is reached.
func (p *platform) address(ctx context.Context, c clients, instance string, made *Deployment) error {
	answer, err := c.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{instance}})
	if err != nil {
		return err
	}
	for _, reservation := range answer.Reservations {
		for _, i := range reservation.Instances {
			made.PublicIP, made.PublicDNS = sdk.ToString(i.PublicIpAddress), sdk.ToString(i.PublicDnsName)
		}
	}
	return nil
}

// failed reports that an instance could not be started, or has ended, with what
// it wrote to its console.
func (p *platform) failed(ctx context.Context, c clients, done []types.Activity) error {
	for _, activity := range done {
		description, cause := sdk.ToString(activity.Description), sdk.ToString(activity.StatusMessage)
		ended := strings.HasPrefix(description, "Terminating")
		refused := activity.StatusCode == types.ScalingActivityStatusCodeFailed
		if !ended && !refused {
			continue
		}
		if ended {
			cause = sdk.ToString(activity.Cause)
		}
		detail := fmt.Sprintf("%s. EC2 says: %s.", strings.TrimRight(description, ". "), strings.TrimRight(cause, ". "))
		if _, instance, named := strings.Cut(description, "instance: "); named {
			detail += p.lastWords(ctx, c, strings.TrimSpace(instance))
		}
		summary := "An instance could not be started"
		if ended {
			summary = "An instance ended before it was in service"
		}
		return &diag.Problem{Summary: summary, Detail: detail}
	}
	return nil
}

// mostLines is how much of a console a failure shows.
const mostLines = 20

// lastWords is the end of an instance's console, for a failure's message; ""
// where it cannot be had.
func (p *platform) lastWords(ctx context.Context, c clients, instance string) string {
	lines, _, err := console(ctx, c, instance)
	if err != nil {
		p.host.Log.Debug("reading the console", "instance", instance, "error", err)
	}
	if len(lines) == 0 {
		return ""
	}
	return "\n\nThe end of its console:\n  " + strings.Join(lines[max(0, len(lines)-mostLines):], "\n  ")
}

// console returns what an instance wrote to its console, and when that was read.
// EC2 keeps it for about an hour after the instance's end.
func console(ctx context.Context, c clients, instance string) ([]string, time.Time, error) {
	answer, err := c.ec2.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: &instance})
	if err != nil {
		return nil, time.Time{}, err
	}
	text, err := base64.StdEncoding.DecodeString(sdk.ToString(answer.Output))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("reading the console of %s: %w", instance, err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, sdk.ToTime(answer.Timestamp), nil
}
