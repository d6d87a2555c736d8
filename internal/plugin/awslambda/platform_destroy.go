package awslambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Find implements [component.Platform]. The first thing of a deployment's own
// that Deploy makes is the version, so the versions name all deployments.
func (p *platform) Find(ctx context.Context, app component.App) ([]component.Target[Deployment], error) {
	c, err := p.client(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.look(ctx, p.cfg.name(app))
	if err != nil || found == nil || !aws.Shared(found.tags, app) {
		return nil, err
	}
	byID := map[string]component.Target[Deployment]{}
	for _, version := range found.versions {
		if id, sequence := described(sdk.ToString(version.Description)); id != "" {
			byID[id] = component.Target[Deployment]{App: app, ID: id, Sequence: sequence, Deployment: p.read(id, version)}
		}
	}
	var targets []component.Target[Deployment]
	for _, target := range byID {
		targets = append(targets, target)
	}
	slices.SortFunc(targets, func(a, b component.Target[Deployment]) int { return newer(a.Deployment, b.Deployment) })
	if !p.cfg.targetGroup() {
		return targets, nil
	}
	groups, inner := errgroup.WithContext(ctx)
	groups.SetLimit(4)
	for i := range targets {
		groups.Go(func() (err error) {
			targets[i].Deployment.Group, err = c.groups.FindGroup(inner, app, targets[i].ID)
			return err
		})
	}
	return targets, groups.Wait()
}

// read returns the deployment that a version is.
func (p *platform) read(id string, version types.FunctionConfiguration) Deployment {
	number := sdk.ToString(version.Version)
	d := Deployment{
		ID: id, Region: p.cfg.Region, Name: sdk.ToString(version.FunctionName), Version: number,
		ARN:    strings.TrimSuffix(sdk.ToString(version.FunctionArn), ":"+number),
		Memory: sdk.ToInt32(version.MemorySize), Timeout: sdk.ToInt32(version.Timeout), Env: names(version.Environment),
	}
	if version.PackageType == types.PackageTypeZip {
		d.Code = sdk.ToString(version.CodeSha256)
	}
	if version.EphemeralStorage != nil {
		d.Storage = sdk.ToInt32(version.EphemeralStorage.Size)
	}
	return d
}

// Destroy implements [component.Platform]. The load balancer forgets a version
// before that goes.
func (p *platform) Destroy(ctx context.Context, t component.Target[Deployment]) error {
	c, err := p.client(ctx)
	if err != nil {
		return err
	}
	if p.cfg.targetGroup() || t.Deployment.Group != "" {
		if err := c.groups.RemoveGroup(ctx, t.App, t.ID); err != nil {
			return err
		}
	}
	name := cmp.Or(t.Deployment.Name, p.cfg.name(t.App))
	found, err := c.look(ctx, name)
	if err != nil || found == nil || !aws.Shared(found.tags, t.App) {
		return err
	}
	for _, version := range found.of(t.ID) {
		if err := c.deleteFunction(ctx, name, sdk.ToString(version.Version)); err != nil {
			return err
		}
	}
	return nil
}

// deleteFunction removes a version, or all there is of a function. What is gone
// is no error.
func (c *client) deleteFunction(ctx context.Context, name, version string) error {
	_, err := c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name, Qualifier: text(version)})
	if err == nil || gone(err) {
		return nil
	}
	if _, used := errors.AsType[*types.ResourceConflictException](err); !used || version == "" {
		return err
	}
	aliases, failed := c.ListAliases(ctx, &lambda.ListAliasesInput{FunctionName: &name, FunctionVersion: &version})
	if failed != nil {
		return errors.Join(err, failed)
	}
	var names []string
	for _, alias := range aliases.Aliases {
		names = append(names, sdk.ToString(alias.Name))
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("Version %s of %s still gets traffic", version, name),
		Detail:  fmt.Sprintf("The alias %s points to it. Release another deployment first, or remove the alias.", strings.Join(names, ", ")),
		Err:     err,
	}
}

// DestroyShared implements [component.Platform].
func (p *platform) DestroyShared(ctx context.Context, app component.App) error {
	c, err := p.client(ctx)
	if err != nil {
		return err
	}
	name := p.cfg.name(app)
	found, err := c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
	switch {
	case gone(err):
	case err != nil:
		return err
	case readable(found) != nil:
		return readable(found)
	case aws.Shared(found.Tags, app):
		if err := whenFree(ctx, func(ctx context.Context) error { return c.deleteFunction(ctx, name, "") }); err != nil {
			return err
		}
	}
	rest, inner := errgroup.WithContext(ctx)
	rest.Go(func() error { return c.destroyLogGroup(inner, app, name) })
	rest.Go(func() error {
		err := c.destroyRole(inner, app)
		if p.cfg.IAMRole != "" && aws.Code(err) == "AccessDenied" {
			return nil // who names a role need not be permitted to see others
		}
		return err
	})
	return rest.Wait()
}
