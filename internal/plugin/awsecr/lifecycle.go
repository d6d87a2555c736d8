package awsecr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// String says what expires.
func (l Lifecycle) String() string {
	if l.UntaggedDays > 0 {
		return fmt.Sprintf("images without a tag expire after %d days", l.UntaggedDays)
	}
	return fmt.Sprintf("of the images without a tag, all but %d expire", l.UntaggedCount)
}

// policy returns the lifecycle policy as AWS takes it.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
func (l Lifecycle) policy() (string, error) {
	selection := map[string]any{"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": l.UntaggedCount}
	if l.UntaggedDays > 0 {
		selection = map[string]any{"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": l.UntaggedDays}
	}
	text, err := json.Marshal(map[string]any{"rules": []any{map[string]any{
		"rulePriority": 1, "description": "deploy-action: " + l.String(), "selection": selection, "action": map[string]string{"type": "expire"},
	}}})
	return string(text), err
}

// hasPolicy reports whether the repository's policy is that of the block.
func (a *api) hasPolicy(ctx context.Context) (bool, error) {
	answer, err := a.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: &a.name, RegistryId: a.registry()})
	if _, none := errors.AsType[*types.LifecyclePolicyNotFoundException](err); none {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	policy, err := a.cfg.Lifecycle.policy()
	var want, has any
	return err == nil && json.Unmarshal([]byte(policy), &want) == nil &&
		json.Unmarshal([]byte(sdk.ToString(answer.LifecyclePolicyText)), &has) == nil && reflect.DeepEqual(want, has), err
}

func (a *api) putPolicy(ctx context.Context) error {
	policy, err := a.cfg.Lifecycle.policy()
	if err != nil {
		return err
	}
	_, err = a.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: &a.name, RegistryId: a.registry(), LifecyclePolicyText: &policy})
	return err
}
