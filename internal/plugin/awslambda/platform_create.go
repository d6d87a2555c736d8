package awslambda

import (
	"context"
	"errors"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// version publishes the version of a deployment, or adopts the one that there
// is, and waits until it can run.
func (p *platform) version(ctx context.Context, c *client, want *wanted, found *function) (*config, error) {
	var version *config
	if own := found.of(want.ID); len(own) > 0 {
		version = &config{FunctionName: &want.name, FunctionArn: own[0].FunctionArn, Version: own[0].Version, State: types.StatePending}
	} else {
		current, err := p.prepare(ctx, c, want, found)
		if err != nil {
			return nil, err
		}
		err = p.host.Progress.Step(ctx, "Publishing a version of "+want.name, func(ctx context.Context, step component.Step) error {
			version, err = c.publish(ctx, step, want, current)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	number := sdk.ToString(version.Version)
	return version, p.host.Progress.Step(ctx, fmt.Sprintf("Waiting for version %s of %s", number, want.name), func(ctx context.Context, step component.Step) error {
		_, err := c.await(ctx, step, version, number, true)
		return err
	})
}

// prepare gives the function what the version shall have.
func (p *platform) prepare(ctx context.Context, c *client, want *wanted, found *function) (*config, error) {
	if found != nil && found.State == types.StateFailed && len(found.versions) == 0 {
		// One that never started can only be made anew.
		if err := c.deleteFunction(ctx, want.name, ""); err != nil {
			return nil, err
		}
		found = nil
	}
	title := "Changing the function " + want.name
	if found == nil {
		title = "Creating the function " + want.name
	}
	var current *config
	err := p.host.Progress.Step(ctx, title, func(ctx context.Context, step component.Step) (err error) {
		if found == nil {
			current, err = p.create(ctx, c, step, want)
		} else {
			current, err = p.update(ctx, c, step, want, found)
		}
		return err
	})
	return current, err
}

// create makes the function with what it needs.
func (p *platform) create(ctx context.Context, c *client, step component.Step, want *wanted) (*config, error) {
	role := p.cfg.IAMRole
	needs, inner := errgroup.WithContext(ctx)
	needs.Go(func() error { return c.ensureLogGroup(inner, want.App, want.name) })
	if role == "" {
		needs.Go(func() (err error) {
			role, err = c.ensureRole(inner, want.App)
			return err
		})
	}
	if err := needs.Wait(); err != nil {
		return nil, err
	}
	in := &lambda.CreateFunctionInput{
		FunctionName: &want.name, Description: &want.description, Role: &role, Tags: aws.AppTags(want.App),
		Architectures: []types.Architecture{want.architecture}, Code: &types.FunctionCode{ImageUri: text(want.image), ZipFile: want.archive},
		PackageType: types.PackageTypeImage, MemorySize: new(int32(p.cfg.Memory)), Timeout: new(int32(p.cfg.Timeout)),
		EphemeralStorage: &types.EphemeralStorage{Size: new(int32(p.cfg.StorageMB))},
		Environment:      &types.Environment{Variables: want.env}, KMSKeyArn: text(p.cfg.KMSKey),
	}
	if want.image == "" {
		in.PackageType, in.Runtime, in.Handler = types.PackageTypeZip, types.Runtime(p.cfg.Runtime), &p.cfg.Handler
	}
	var made *config
	err := p.withRole(ctx, step, role, func(ctx context.Context) error {
		out, err := c.CreateFunction(ctx, in)
		if _, exists := errors.AsType[*types.ResourceConflictException](err); exists {
			made, err = c.adopt(ctx, want)
			return err
		}
		if err == nil {
			made = new(config(*out))
		}
		return refusedCode(err, want)
	})
	if err != nil {
		return nil, err
	}
	return c.await(ctx, step, made, "", true)
}

// adopt returns the function that exists although there was none: it was made by
// a call whose answer was lost.
func (c *client) adopt(ctx context.Context, want *wanted) (*config, error) {
	found, err := c.look(ctx, want.name)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, retry.Transient(fmt.Errorf("the function %s exists and does not", want.name))
	}
	if err := found.own(want.App); err != nil {
		return nil, err
	}
	return c.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &want.name})
}
