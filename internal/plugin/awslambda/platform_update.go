package awslambda

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// update changes the function: first its configuration, and then its code if
// that differs. The description is always another one, since Lambda publishes no
// version where nothing has changed.
func (p *platform) update(ctx context.Context, c *client, step component.Step, want *wanted, found *function) (*config, error) {
	role, err := p.roleOf(ctx, c, want, found)
	if err != nil {
		return nil, err
	}
	before := &config{
		FunctionName: &want.name, State: found.State, StateReason: found.StateReason,
		LastUpdateStatus: found.LastUpdateStatus, LastUpdateStatusReason: found.LastUpdateStatusReason,
	}
	if _, err := c.await(ctx, step, before, "", false); err != nil {
		return nil, err
	}
	current, err := p.updateConfig(ctx, c, step, want, role, sdk.ToString(found.KMSKeyArn))
	if err != nil {
		return nil, err
	}
	if want.same(found) {
		return current, nil
	}
	return p.updateCode(ctx, c, step, want, current)
}

// roleOf returns the role that a function shall run as. One that was made for it
// already has all that it needs.
func (p *platform) roleOf(ctx context.Context, c *client, want *wanted, found *function) (string, error) {
	now := sdk.ToString(found.Role)
	switch {
	case p.cfg.IAMRole != "":
		return p.cfg.IAMRole, nil
	case strings.HasSuffix(now, ":role/"+roleName(want.App)):
		return now, nil
	}
	return c.ensureRole(ctx, want.App)
}

// same reports whether a function has the wanted code. A tag may have moved.
func (w *wanted) same(f *function) bool {
	if len(f.Architectures) > 0 && f.Architectures[0] != w.architecture {
		return false
	}
	if w.image != "" {
		return strings.Contains(w.image, "@") && f.image == w.image
	}
	return sdk.ToString(f.CodeSha256) == w.code
}

func (p *platform) updateConfig(ctx context.Context, c *client, step component.Step, want *wanted, role, key string) (*config, error) {
	in := &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &want.name, Description: &want.description, Role: &role,
		MemorySize: new(int32(p.cfg.Memory)), Timeout: new(int32(p.cfg.Timeout)),
		EphemeralStorage: &types.EphemeralStorage{Size: new(int32(p.cfg.StorageMB))},
		Environment:      &types.Environment{Variables: want.env},
	}
	if p.cfg.KMSKey != key {
		in.KMSKeyArn = &p.cfg.KMSKey // "" is AWS's own key again
	}
	if want.image == "" {
		in.Runtime, in.Handler = types.Runtime(p.cfg.Runtime), &p.cfg.Handler
	}
	var changed *config
	err := p.withRole(ctx, step, role, func(ctx context.Context) error {
		return whenFree(ctx, func(ctx context.Context) error {
			out, err := c.UpdateFunctionConfiguration(ctx, in)
			if err == nil {
				changed = new(config(*out))
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return c.await(ctx, step, changed, "", true)
}

func (p *platform) updateCode(ctx context.Context, c *client, step component.Step, want *wanted, current *config) (*config, error) {
	err := c.unchanged(ctx, step, want, &current, func(ctx context.Context) error {
		out, err := c.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{
			FunctionName: &want.name, Architectures: []types.Architecture{want.architecture},
			ImageUri: text(want.image), ZipFile: want.archive, RevisionId: current.RevisionId,
		})
		if err == nil {
			current = new(config(*out))
		}
		return refusedCode(err, want)
	})
	if err != nil {
		return nil, err
	}
	return c.await(ctx, step, current, "", true)
}

// publish makes a version of what the function is now.
func (c *client) publish(ctx context.Context, step component.Step, want *wanted, current *config) (*config, error) {
	var version *config
	err := c.unchanged(ctx, step, want, &current, func(ctx context.Context) error {
		out, err := c.PublishVersion(ctx, &lambda.PublishVersionInput{
			FunctionName: &want.name, Description: &want.description,
			CodeSha256: current.CodeSha256, RevisionId: current.RevisionId,
		})
		if err == nil {
			version = new(config(*out))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if id, _ := described(sdk.ToString(version.Description)); id != want.ID {
		return nil, fmt.Errorf("publishing a version of %s: Lambda returned version %s, which is that of another deployment", want.name, sdk.ToString(version.Version))
	}
	return version, nil
}

// unchanged makes a call that Lambda refuses where the function is no longer at
// the revision of current. Lambda counts its own work as revisions too, so the
// function is read again; but if somebody else changed it, that is not
// published as ours.
func (c *client) unchanged(ctx context.Context, step component.Step, want *wanted, current **config, call func(context.Context) error) error {
	return retry.Do(ctx, func(ctx context.Context) error {
		err := whenFree(ctx, call)
		if _, moved := errors.AsType[*types.PreconditionFailedException](err); !moved {
			return err
		}
		now, failed := c.await(ctx, step, &config{FunctionName: &want.name, State: types.StatePending}, "", true)
		if failed != nil {
			return failed
		}
		if sdk.ToString(now.Description) != want.description {
			return &diag.Problem{
				Summary: fmt.Sprintf("Somebody else changed the function %s meanwhile", want.name),
				Detail: fmt.Sprintf("Its description is now %q, so what it has is not what this deploy gave it. No version was published. "+
					"See who else deploys the function, and deploy again.", sdk.ToString(now.Description)),
				Err: err,
			}
		}
		*current = now
		return retry.Transient(err)
	})
}

// refusedCode explains why Lambda did not take an image or an archive.
func refusedCode(err error, want *wanted) error {
	if _, invalid := errors.AsType[*types.InvalidParameterValueException](err); !invalid || want.image == "" || !strings.Contains(err.Error(), "mage") {
		return err
	}
	help := "Check that it is in that repository still."
	switch message := err.Error(); {
	case strings.Contains(message, "permission") || strings.Contains(message, "ECR permissions"):
		help = "The repository's policy must let lambda.amazonaws.com get the image (ecr:BatchGetImage, ecr:GetDownloadUrlForLayer); " +
			"in the function's own account, whoever deploys may write that policy (ecr:GetRepositoryPolicy, ecr:SetRepositoryPolicy)."
	case strings.Contains(message, "media type"):
		help = "Lambda takes a single image with layers compressed by gzip: build with `platform` in place of `platforms`, and without compression = \"zstd\"."
	}
	return &diag.Problem{
		Summary: "Lambda does not take the image: " + said(err),
		Detail:  fmt.Sprintf("The image is %s. %s", want.image, help),
		Err:     err,
	}
}
