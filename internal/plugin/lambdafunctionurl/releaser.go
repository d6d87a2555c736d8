package lambdafunctionurl

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Deployment is a version of a function.
type Deployment interface {
	component.Deployment

	// Function returns the ARN of the function, without a version, and the
	// version.
	Function() (arn, version string)
}

// releaser points an alias with a URL to versions.
type releaser struct {
	host component.Host
	cfg  Config
}

var _ component.Releaser[Deployment, Release] = (*releaser)(nil)

func openReleaser(h component.Host, c Config) (component.Releaser[Deployment, Release], error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	return &releaser{h, c}, nil
}

// Plan implements [component.Releaser].
func (r *releaser) Plan(ctx context.Context, req component.ReleaseRequest[Deployment]) (component.Plan, error) {
	alias := "alias/" + component.Label(req.Target.App.Workspace, 60)
	if req.Planned {
		return component.Plan{Changes: []component.Change{{
			Action: component.Update, Subject: alias, Reason: "points to the new version, and has a function URL",
		}}}, nil
	}
	c, now, want, err := r.look(ctx, req)
	if err != nil {
		return component.Plan{}, err
	}
	var plan component.Plan
	change := func(action component.Action, subject, reason string) {
		plan.Changes = append(plan.Changes, component.Change{Action: action, Subject: subject, Reason: reason})
	}
	switch {
	case now.alias == nil:
		change(component.Create, alias, "points to "+want.String())
	case routed(now.alias).equal(want):
		change(component.Keep, alias, "points to "+want.String())
	default:
		change(component.Update, alias, fmt.Sprintf("from %s to %s", routed(now.alias), want))
	}
	switch {
	case now.url == nil:
		change(component.Create, "function-url/"+c.function, "auth_type "+r.cfg.AuthType)
	case !r.served(now):
		change(component.Update, "function-url/"+c.function, "auth_type "+r.cfg.AuthType)
	default:
		change(component.Keep, "function-url/"+c.function, sdk.ToString(now.url.FunctionUrl))
	}
	return plan, nil
}

// look reads what there is, and says where the alias shall point.
func (r *releaser) look(ctx context.Context, req component.ReleaseRequest[Deployment]) (*client, *present, routing, error) {
	arn, version := req.Target.Deployment.Function()
	if arn == "" || version == "" {
		return nil, nil, routing{}, &diag.Problem{
			Summary: fmt.Sprintf("Deployment %s has no version to release", req.Target.ID),
			Detail:  "Its deploy did not come so far as to publish one. Deploy again.",
		}
	}
	c, err := open(ctx, r.host, req.Target.App, arn)
	if err != nil {
		return nil, nil, routing{}, err
	}
	now, err := c.look(ctx)
	if gone(err) {
		return nil, nil, routing{}, &diag.Problem{
			Summary: fmt.Sprintf("There is no function %q", c.function),
			Detail:  fmt.Sprintf("%s was removed after the deploy. Deploy again.", arn),
			Err:     err,
		}
	}
	if err != nil {
		return nil, nil, routing{}, err
	}
	if err := c.own(now, req.Target.App); err != nil {
		return nil, nil, routing{}, err
	}
	want := routing{version: version}
	if now.alias != nil {
		want = routed(now.alias).to(version, req.Percent)
	}
	return c, now, want, nil
}

// served reports whether the URL is as wanted.
func (r *releaser) served(now *present) bool {
	return string(now.url.AuthType) == r.cfg.AuthType && sameCORS(now.url.Cors, r.cfg.cors())
}

// Release implements [component.Releaser]. An alias that exists moves last, when
// all that users need is in place.
func (r *releaser) Release(ctx context.Context, req component.ReleaseRequest[Deployment]) (Release, error) {
	c, now, want, err := r.look(ctx, req)
	if err != nil {
		return Release{}, err
	}
	made := Release{Function: c.arn, Alias: c.alias}
	if now.url != nil {
		made.Address = sdk.ToString(now.url.FunctionUrl)
	}
	title := fmt.Sprintf("Pointing the alias %s of %s to %s", c.alias, c.function, want)
	err = r.host.Progress.Step(ctx, title, func(ctx context.Context, step component.Step) error {
		permissions := r.cfg.permissions()
		if now.alias == nil {
			if err := c.route(ctx, nil, want); err != nil {
				return err
			}
		}
		if err := c.permit(ctx, now.statements, permissions); err != nil {
			return err
		}
		address, err := c.serve(ctx, now.url, &r.cfg)
		if err != nil {
			return err
		}
		made.Address = address
		step.Update("%s", address)
		if err := c.forbid(ctx, now.statements, permissions); err != nil || now.alias == nil {
			return err
		}
		return c.route(ctx, now.alias, want)
	})
	return made, err
}

// Destroy implements [component.Releaser]. The function and its versions stay:
// they are the platform's.
func (r *releaser) Destroy(ctx context.Context, app component.App, made Release) error {
	c, err := open(ctx, r.host, app, made.Function)
	if err != nil {
		return err
	}
	now, err := c.look(ctx)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !aws.Shared(now.tags, app) || now.alias != nil && !c.marked(now) {
		return nil
	}
	if now.url != nil {
		err := c.busy(ctx, func(ctx context.Context) error {
			_, err := c.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: &c.function, Qualifier: &c.alias})
			return ignoreGone(err)
		})
		if err != nil {
			return err
		}
	}
	if err := c.forbid(ctx, now.statements, nil); err != nil || now.alias == nil {
		return err
	}
	_, err = c.DeleteAlias(ctx, &lambda.DeleteAliasInput{FunctionName: &c.function, Name: &c.alias})
	return ignoreGone(err)
}
