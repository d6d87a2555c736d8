package awsecs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// secretPrefix is how the names of the secrets of our deployments begin; a
// deployment's ID follows.
func (w *work) secretPrefix() string { return "deploy-action/" + aws.Name(w.app, 40) + "/" }

// sensitive returns the names of the variables that must not be in clear.
func sensitive(env map[string]component.Setting) []string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(env)), func(name string) bool { return !env[name].Sensitive })
	return names
}

// putSecret keeps the sensitive variables of a deployment in one secret and
// returns its ARN; "" where there are none.
func (w *work) putSecret(ctx context.Context, in component.DeployInput) (string, error) {
	names := sensitive(in.Env)
	if len(names) == 0 {
		return "", nil
	}
	values := map[string]string{}
	for _, name := range names {
		values[name] = in.Env[name].Text.Reveal()
	}
	content, err := json.Marshal(values)
	if err != nil {
		return "", err
	}
	name := w.secretPrefix() + in.ID
	out, err := w.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, SecretString: new(string(content)),
		Description: new("Variables of a deployment of " + w.app.Name), Tags: tagsSecret(aws.Tags(w.app, in.ID, in.Sequence)),
	})
	if err == nil {
		return sdk.ToString(out.ARN), nil
	}
	if _, exists := errors.AsType[*types.ResourceExistsException](err); !exists {
		return "", err
	}
	// An attempt that was cut off made it, perhaps with other values.
	arn, err := w.ownSecret(ctx, in.ID)
	if err != nil {
		return "", err
	}
	if arn == "" {
		return "", &diag.Problem{
			Summary: fmt.Sprintf("Secret %q is not ours", name),
			Detail:  fmt.Sprintf("Secrets Manager has a secret %q that was not made for this deployment. Rename or remove it.", name),
		}
	}
	_, err = w.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &arn, SecretString: new(string(content))})
	return arn, err
}

// ownSecret returns the ARN of a deployment's secret; "" where there is none
// that is ours.
func (w *work) ownSecret(ctx context.Context, id string) (string, error) {
	out, err := w.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: new(w.secretPrefix() + id)})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return "", nil
	}
	if err != nil || out.DeletedDate != nil || !aws.OfDeployment(readSecret(out.Tags), w.app, id) {
		return "", err
	}
	return sdk.ToString(out.ARN), nil
}

// removeSecret removes a deployment's secret.
func (w *work) removeSecret(ctx context.Context, id string) error {
	arn, err := w.ownSecret(ctx, id)
	if err != nil || arn == "" {
		return err
	}
	return w.deleteSecret(ctx, arn)
}

// deleteSecret removes a secret of ours at once, so that nobody pays for it and
// its name is free.
func (w *work) deleteSecret(ctx context.Context, arn string) error {
	_, err := w.secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &arn, ForceDeleteWithoutRecovery: new(true)})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return nil
	}
	return err
}

// kept is a secret of a deployment.
type kept struct {
	arn, id  string
	sequence int
}

// allSecrets returns the secrets of all deployments of the app.
func (w *work) allSecrets(ctx context.Context) ([]kept, error) {
	var all []kept
	pages := secretsmanager.NewListSecretsPaginator(w.secrets, &secretsmanager.ListSecretsInput{
		Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{w.secretPrefix()}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range page.SecretList {
			tags := readSecret(s.Tags)
			id := tags[aws.TagDeployment]
			if s.DeletedDate != nil || !strings.HasPrefix(sdk.ToString(s.Name), w.secretPrefix()) || !aws.OfDeployment(tags, w.app, id) {
				continue
			}
			all = append(all, kept{sdk.ToString(s.ARN), id, aws.Sequence(tags)})
		}
	}
	return all, nil
}

// tagsSecret makes tags for Secrets Manager.
func tagsSecret(tags map[string]string) []types.Tag {
	return labelled(tags, func(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} })
}

// readSecret returns tags of Secrets Manager as a map.
func readSecret(tags []types.Tag) map[string]string {
	return read(tags, func(t types.Tag) (key, value *string) { return t.Key, t.Value })
}
