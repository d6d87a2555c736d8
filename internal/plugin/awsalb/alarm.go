package awsalb

import (
	"context"
	"fmt"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/deploy-action/deploy-action/internal/cloud/elb"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// lookInterval is between two looks at an alarm.
const lookInterval = 2 * time.Second

// lastWords is the time for giving traffic back when there is none left.
const lastWords = 10 * time.Second

// checkAlarm refuses a release while the alarm is on, or where there is none.
func (r *releaser) checkAlarm(ctx context.Context, watch *cloudwatch.Client) error {
	if r.cfg.Alarm == "" {
		return nil
	}
	state, reason, err := r.alarm(ctx, watch)
	if err != nil || state != types.StateValueAlarm {
		return err
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("The alarm %s is on", r.cfg.Alarm),
		Detail:  fmt.Sprintf("CloudWatch says: %s. No traffic was moved: while the alarm is on, it could not tell whether the release is well.", reason),
		Attr:    "alarm",
	}
}

// watchAlarm looks at the alarm for a while, and takes the release back when it
// goes on. Without a change of the traffic there is nothing to watch.
func (r *releaser) watchAlarm(ctx context.Context, watch *cloudwatch.Client, front *elb.Front) error {
	if r.cfg.Alarm == "" || !front.Changed() {
		return nil
	}
	var rang *diag.Problem
	err := r.host.Progress.Step(ctx, "Watching the alarm "+r.cfg.Alarm, func(ctx context.Context, step component.Step) error {
		end := time.Now().Add(r.wait)
		return retry.Poll(ctx, lookInterval, func(ctx context.Context) (bool, error) {
			state, reason, err := r.alarm(ctx, watch)
			if err != nil {
				return false, err
			}
			if state == types.StateValueAlarm {
				rang = &diag.Problem{
					Summary: fmt.Sprintf("The alarm %s went on", r.cfg.Alarm),
					Detail:  fmt.Sprintf("CloudWatch says: %s. The traffic was given back to what had it before.", reason),
					Attr:    "alarm",
				}
				return false, rang
			}
			step.Update("%s; %s to go", strings.ToLower(string(state)), time.Until(end).Round(time.Second))
			return time.Now().After(end), nil
		})
	})
	if rang == nil {
		return err
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	if err := front.Undo(saving); err != nil {
		return fmt.Errorf("the alarm %s went on, and giving the traffic back failed: %w", r.cfg.Alarm, err)
	}
	return rang
}

// alarm asks for the alarm's state.
func (r *releaser) alarm(ctx context.Context, watch *cloudwatch.Client) (types.StateValue, string, error) {
	answer, err := watch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{r.cfg.Alarm}, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return "", "", err
	}
	for _, alarm := range answer.MetricAlarms {
		return alarm.StateValue, sentence(alarm.StateReason), nil
	}
	for _, alarm := range answer.CompositeAlarms {
		return alarm.StateValue, sentence(alarm.StateReason), nil
	}
	return "", "", &diag.Problem{
		Summary: "No such alarm",
		Detail:  fmt.Sprintf("CloudWatch has no alarm %q in the region of the deployment. Correct the name, or remove it.", r.cfg.Alarm),
		Attr:    "alarm",
	}
}

func sentence(text *string) string { return strings.TrimRight(sdk.ToString(text), ". ") }
