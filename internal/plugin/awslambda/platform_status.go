package awslambda

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
)

// Status implements [component.Platform].
func (p *platform) Status(ctx context.Context, t component.Target[Deployment]) (component.Health, error) {
	c, err := p.client(ctx)
	if err != nil {
		return component.Health{}, err
	}
	version, err := p.live(ctx, c, t)
	if err != nil {
		return component.Health{}, err
	}
	if version == nil {
		return component.Health{State: component.Missing, Message: "there is no such version"}, nil
	}
	health := health(version.Configuration)
	health.Drift = drift(t.Deployment, version)
	if t.Deployment.Group == "" {
		return health, nil
	}
	registered, err := c.registered(ctx, t.Deployment)
	if err != nil {
		return component.Health{}, err
	}
	if !registered {
		health.Drift = append(health.Drift, component.Change{
			Action: component.Delete, Subject: "target-group/" + t.ID, Reason: "no load balancer finds the version in it",
		})
	}
	return health, nil
}

// live returns the version of a deployment; nil where there is none that is the
// deployment's.
func (p *platform) live(ctx context.Context, c *client, t component.Target[Deployment]) (*lambda.GetFunctionOutput, error) {
	name, number := cmp.Or(t.Deployment.Name, p.cfg.name(t.App)), t.Deployment.Version
	if number == "" {
		versions, err := c.versions(ctx, name)
		if gone(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		own := (&function{versions: versions}).of(t.ID)
		if len(own) == 0 {
			return nil, nil
		}
		number = sdk.ToString(own[0].Version)
	}
	found, err := c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name, Qualifier: &number})
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Lambda may leave the tags out where a version is asked for.
	if len(found.Tags) > 0 && !aws.Shared(found.Tags, t.App) {
		return nil, nil
	}
	if id, _ := described(sdk.ToString(found.Configuration.Description)); id != t.ID {
		return nil, nil
	}
	return found, nil
}

// health sums up what Lambda says of a version.
func health(c *types.FunctionConfiguration) component.Health {
	message := "version " + sdk.ToString(c.Version)
	if reason := strings.TrimRight(sdk.ToString(c.StateReason), ". "); reason != "" {
		message += ": " + reason
	}
	states := map[types.State]component.HealthState{
		types.StateActive: component.Ready, types.StatePending: component.Starting, types.StateFailed: component.Down,
		types.StateInactive: component.Ready, // it was not used for long, and the next call wakes it
	}
	return component.Health{State: cmp.Or(states[c.State], component.Unknown), Message: message}
}

// drift compares a version with what a deployment made.
func drift(d Deployment, live *lambda.GetFunctionOutput) []component.Change {
	if d.Version == "" {
		return nil // a record that does not say
	}
	now := live.Configuration
	code := sdk.ToString(now.CodeSha256)
	if live.Code != nil && live.Code.ImageUri != nil {
		code = *live.Code.ImageUri
	}
	var storage int32
	if now.EphemeralStorage != nil {
		storage = sdk.ToInt32(now.EphemeralStorage.Size)
	}
	var changes []component.Change
	for _, part := range []struct {
		what      string
		made, now any
		known     bool
	}{
		{"code", d.Code, code, d.Code != ""},
		{"memory", d.Memory, sdk.ToInt32(now.MemorySize), d.Memory != 0},
		{"timeout", d.Timeout, sdk.ToInt32(now.Timeout), d.Timeout != 0},
		{"storage", d.Storage, storage, d.Storage != 0 && storage != 0},
		{"environment", strings.Join(d.Env, ", "), strings.Join(names(now.Environment), ", "), true},
	} {
		if part.known && part.made != part.now {
			changes = append(changes, component.Change{
				Action: component.Update, Subject: fmt.Sprintf("function/%s:%s %s", d.Name, d.Version, part.what),
				Reason: fmt.Sprintf("was %v, is %v", part.made, part.now),
			})
		}
	}
	return changes
}

// names returns the names of a function's variables, in order.
func names(env *types.EnvironmentResponse) []string {
	if env == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(env.Variables))
}
