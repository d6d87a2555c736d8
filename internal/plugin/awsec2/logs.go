package awsec2

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// followInterval is between two looks at consoles, which EC2 renews every few
// minutes at best.
const followInterval = 5 * time.Second

// Logs implements [component.Platform]: what the instances wrote to their
// consoles, and what the group did. EC2 knows of a console only when it was read
// last, so that is the time of each of its lines.
func (p *platform) Logs(ctx context.Context, t component.Target[Deployment], req component.LogRequest) iter.Seq2[component.LogLine, error] {
	return func(yield func(component.LogLine, error) bool) {
		c, err := p.open(ctx)
		if err != nil {
			yield(component.LogLine{}, err)
			return
		}
		seen := &seen{lines: map[string]int{}, events: map[string]bool{}, after: req.Since}
		err = retry.Poll(ctx, followInterval, func(ctx context.Context) (bool, error) {
			lines, err := seen.read(ctx, c, t, req.Tail)
			if err != nil {
				return false, err
			}
			for _, line := range lines {
				if !yield(line, nil) {
					return true, nil
				}
			}
			return !req.Follow, nil
		})
		if err != nil && ctx.Err() == nil {
			yield(component.LogLine{}, err)
		}
	}
}

// seen is what was yielded already.
type seen struct {
	lines  map[string]int // of each instance's console
	events map[string]bool
	after  time.Time
}

// read returns what is new, in the order of time.
func (s *seen) read(ctx context.Context, c clients, t component.Target[Deployment], tail int) ([]component.LogLine, error) {
	g, err := group(ctx, c, t.App, t.ID)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, &diag.Problem{
			Summary: "No such Auto Scaling group",
			Detail:  fmt.Sprintf("The account has no Auto Scaling group %q with this app's tags in %s.", t.ID, t.Deployment.Region),
		}
	}
	done, err := activities(ctx, c, t.ID)
	if err != nil {
		return nil, err
	}
	lines := s.eventLines(done)
	for _, instance := range g.Instances {
		more, err := s.consoleLines(ctx, c, sdk.ToString(instance.InstanceId), tail)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	slices.SortStableFunc(lines, func(a, b component.LogLine) int { return a.Time.Compare(b.Time) })
	return lines, nil
}

func (s *seen) eventLines(done []types.Activity) []component.LogLine {
	var lines []component.LogLine
	for _, activity := range slices.Backward(done) {
		id, when := sdk.ToString(activity.ActivityId)+string(activity.StatusCode), sdk.ToTime(activity.StartTime)
		if s.events[id] || when.Before(s.after) {
			continue
		}
		s.events[id] = true
		text := fmt.Sprintf("%s: %s", activity.StatusCode, sdk.ToString(activity.Description))
		if said := sdk.ToString(activity.StatusMessage); said != "" {
			text += ": " + said
		}
		lines = append(lines, component.LogLine{Time: when, Text: text})
	}
	return lines
}

func (s *seen) consoleLines(ctx context.Context, c clients, instance string, tail int) ([]component.LogLine, error) {
	texts, when, err := console(ctx, c, instance)
	if aws.Code(err) == "InvalidInstanceID.NotFound" {
		return nil, nil
	}
	if err != nil || when.Before(s.after) {
		return nil, err
	}
	// EC2 keeps the last 64 KiB: a console that got shorter is another one.
	from := s.lines[instance]
	if from > len(texts) {
		from = 0
	}
	s.lines[instance] = len(texts)
	if tail > 0 && from == 0 {
		from = max(0, len(texts)-tail)
	}
	var lines []component.LogLine
	for _, text := range texts[from:] {
		lines = append(lines, component.LogLine{Time: when, Instance: instance, Text: text})
	}
	return lines, nil
}
