package awsecs

import (
	"cmp"
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
)

// revision is one of a task definition.
type revision struct {
	arn    string
	number int32
	def    *types.TaskDefinition
	tags   map[string]string
}

// id is the deployment that the revision was made for; "" if it is not the
// app's.
func (r revision) id(w *work) string {
	if id := r.tags[aws.TagDeployment]; aws.OfDeployment(r.tags, w.app, id) {
		return id
	}
	return ""
}

// describeRevision returns a revision, active or not; nil where there is none.
func (w *work) describeRevision(ctx context.Context, arn string) (*revision, error) {
	out, err := w.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: &arn, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	if aws.Code(err) == "ClientException" { // which is how ECS says that there is none
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &revision{
		arn: sdk.ToString(out.TaskDefinition.TaskDefinitionArn), number: out.TaskDefinition.Revision,
		def: out.TaskDefinition, tags: readECS(out.Tags),
	}, nil
}

// looks is how many revisions are looked at at once.
const looks = 8

// ownRevisions returns the active revisions of a family that were made for
// deployments of the app, newest first. A revision's tags can be had from
// nowhere but itself, so of a family that others use as well only the newest
// hundred are looked at.
func (w *work) ownRevisions(ctx context.Context, family string) ([]revision, error) {
	out, err := w.ecs.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{
		FamilyPrefix: &family, Status: types.TaskDefinitionStatusActive, Sort: types.SortOrderDesc, MaxResults: new(int32(100)),
	})
	if err != nil {
		return nil, err
	}
	found := make([]*revision, len(out.TaskDefinitionArns))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(looks)
	for i, arn := range out.TaskDefinitionArns {
		group.Go(func() (err error) {
			found[i], err = w.describeRevision(inner, arn)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var own []revision
	for _, r := range found {
		if r != nil && r.id(w) != "" {
			own = append(own, *r)
		}
	}
	slices.SortFunc(own, func(a, b revision) int { return cmp.Compare(b.number, a.number) })
	return own, nil
}

// ofDeployment returns the newest revision that was made for a deployment; nil
// where there is none.
func (w *work) ofDeployment(own []revision, id string) *revision {
	for _, r := range own {
		if r.id(w) == id {
			return &r
		}
	}
	return nil
}

// removeRevision removes a revision of ours. What still runs it goes on.
func (w *work) removeRevision(ctx context.Context, arn string) error {
	if _, err := w.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &arn}); err != nil {
		return err
	}
	// What cannot be deleted stays as an inactive revision, which is nothing but
	// an entry in a list: so it is with tasks that have not ended yet.
	_, err := w.ecs.DeleteTaskDefinitions(ctx, &ecs.DeleteTaskDefinitionsInput{TaskDefinitions: []string{arn}})
	return err
}
