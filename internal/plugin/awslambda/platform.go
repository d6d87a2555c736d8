package awslambda

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// platform runs each deployment as a version of the app's function.
type platform struct {
	component.Unsupported[Deployment] // what it lacks: Restore, Exec

	host    component.Host
	cfg     Config
	session *aws.Session
}

var _ component.Platform[artifact.Artifact, Deployment] = (*platform)(nil)

func openPlatform(h component.Host, c Config) (component.Platform[artifact.Artifact, Deployment], error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	session, err := aws.Open(h, c.Region)
	if err != nil {
		return nil, err
	}
	return &platform{host: h, cfg: c, session: session}, nil
}

// Deploy implements [component.Platform]. All that it makes before the version
// is shared or, being a function without a version, serves nobody; a version
// that an earlier attempt made is adopted.
func (p *platform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Artifact]) (Deployment, error) {
	want, err := p.wanted(req)
	if err != nil {
		return Deployment{}, err
	}
	c, err := p.client(ctx)
	if err != nil {
		return Deployment{}, err
	}
	found, err := c.look(ctx, want.name)
	if err != nil {
		return Deployment{}, err
	}
	if err := errors.Join(found.own(req.App), found.fits(want)); err != nil {
		return Deployment{}, err
	}
	made := Deployment{
		ID: req.ID, Region: p.cfg.Region, Name: want.name,
		Code: want.code, Memory: int32(p.cfg.Memory), Timeout: int32(p.cfg.Timeout), Storage: int32(p.cfg.StorageMB),
		Env: slices.Sorted(maps.Keys(want.env)),
	}
	version, err := p.version(ctx, c, want, found)
	if version != nil {
		made.Version = sdk.ToString(version.Version)
		made.ARN = strings.TrimSuffix(sdk.ToString(version.FunctionArn), ":"+made.Version)
	}
	if err != nil || !p.cfg.targetGroup() {
		return made, err
	}
	made.Group, err = p.ensureGroup(ctx, c, req.DeployInput, made)
	return made, err
}

// fits returns a problem where a function cannot run what is wanted.
func (f *function) fits(want *wanted) error {
	if f == nil || (f.PackageType == types.PackageTypeImage) == (want.image != "") {
		return nil
	}
	has, makes := "files", "an image"
	if want.image == "" {
		has, makes = makes, has
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("The function %s takes %s, and the build makes %s", want.name, has, makes),
		Detail:  "Lambda cannot change that. Run `destroy` for the app in this workspace first, or choose another name with function_name.",
		Attr:    "function_name",
	}
}
