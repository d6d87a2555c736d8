package awsecr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
)

// repository is one that exists.
type repository struct {
	types.Repository
	tags map[string]string
	ours bool // made for the app by this plugin
}

// ownTags say whose a repository is. It is shared by the workspaces of an app,
// so that a promotion within an account copies nothing.
func ownTags(app component.App) map[string]string {
	return map[string]string{aws.TagProject: app.Project, aws.TagApp: app.Name}
}

// api is what one operation asks of ECR.
type api struct {
	*ecr.Client
	cfg  RegistryConfig
	app  component.App
	name string
}

// registry is the account that the repository is in; nil for the one that is
// signed in to.
func (a *api) registry() *string {
	if a.cfg.RegistryID == "" {
		return nil
	}
	return &a.cfg.RegistryID
}

// find returns the repository; nil where there is none.
func (a *api) find(ctx context.Context) (*repository, error) {
	answer, err := a.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{a.name}, RegistryId: a.registry()})
	if _, none := errors.AsType[*types.RepositoryNotFoundException](err); none || err == nil && len(answer.Repositories) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := &repository{Repository: answer.Repositories[0], tags: map[string]string{}}
	tags, err := a.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: found.RepositoryArn})
	if err != nil {
		return nil, err
	}
	for _, tag := range tags.Tags {
		found.tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	found.ours = includes(found.tags, ownTags(a.app))
	return found, nil
}

// includes reports whether tags have all that are wanted.
func includes(has, want map[string]string) bool {
	for name, value := range want {
		if got, ok := has[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// wanted are the tags of a repository of ours.
func (a *api) wanted() map[string]string {
	return aws.With(aws.With(map[string]string{}, a.cfg.Tags), ownTags(a.app))
}

func listed(tags map[string]string) []types.Tag {
	var list []types.Tag
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: &name, Value: new(tags[name])})
	}
	return list
}

// create makes the repository, or returns the one that was made meanwhile.
func (a *api) create(ctx context.Context) (*repository, error) {
	input := &ecr.CreateRepositoryInput{
		RepositoryName: &a.name, RegistryId: a.registry(), Tags: listed(a.wanted()),
		ImageTagMutability: mutabilities[a.cfg.TagMutability],
	}
	if a.cfg.ScanOnPush != nil {
		input.ImageScanningConfiguration = &types.ImageScanningConfiguration{ScanOnPush: *a.cfg.ScanOnPush}
	}
	answer, err := a.CreateRepository(ctx, input)
	if _, exists := errors.AsType[*types.RepositoryAlreadyExistsException](err); exists {
		found, err := a.find(ctx)
		if err == nil && found == nil {
			return nil, fmt.Errorf("creating repository %q: AWS says that it exists, and does not find it", a.name)
		}
		return found, err
	}
	if err != nil {
		return nil, err
	}
	return &repository{Repository: *answer.Repository, tags: a.wanted(), ours: true}, nil
}

// mend is one setting of a repository that is not as the block says.
type mend struct {
	what  string
	apply func(context.Context) error
}

// mends returns what differs in a repository of ours.
func (a *api) mends(ctx context.Context, has *repository) ([]mend, error) {
	if !has.ours {
		return nil, nil
	}
	var all []mend
	if !includes(has.tags, a.wanted()) {
		all = append(all, mend{"tags", func(ctx context.Context) error {
			_, err := a.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: has.RepositoryArn, Tags: listed(a.wanted())})
			return err
		}})
	}
	scans := has.ImageScanningConfiguration != nil && has.ImageScanningConfiguration.ScanOnPush
	if want := a.cfg.ScanOnPush; want != nil && *want != scans {
		all = append(all, mend{fmt.Sprintf("scan_on_push = %t", *want), func(ctx context.Context) error {
			_, err := a.PutImageScanningConfiguration(ctx, &ecr.PutImageScanningConfigurationInput{
				RepositoryName: &a.name, RegistryId: a.registry(), ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: *want},
			})
			return err
		}})
	}
	if want := a.cfg.TagMutability; want != "" && mutabilities[want] != has.ImageTagMutability {
		all = append(all, mend{"tags " + want, func(ctx context.Context) error {
			_, err := a.PutImageTagMutability(ctx, &ecr.PutImageTagMutabilityInput{
				RepositoryName: &a.name, RegistryId: a.registry(), ImageTagMutability: mutabilities[want],
			})
			return err
		}})
	}
	if a.cfg.Lifecycle == nil {
		return all, nil
	}
	same, err := a.hasPolicy(ctx)
	if err == nil && !same {
		all = append(all, mend{a.cfg.Lifecycle.String(), a.putPolicy})
	}
	return all, err
}
