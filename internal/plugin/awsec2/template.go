package awsec2

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/vpc"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// nameTakenError says that something which is not ours has the name.
type nameTakenError struct{ *diag.Problem }

// Unwrap returns the problem.
func (e *nameTakenError) Unwrap() error { return e.Problem }

func nameTaken(what, id string, err error) error {
	return &nameTakenError{&diag.Problem{
		Summary: fmt.Sprintf("The name of %s is taken", what),
		Detail:  fmt.Sprintf("The account has %s %q in this region that this program did not make for this app. Rename or remove it.", what, id),
		Err:     err,
	}}
}

// ensureTemplate makes the launch template of a deployment, unless an earlier
// attempt did.
func (p *platform) ensureTemplate(ctx context.Context, c clients, req component.DeployRequest[artifact.MachineImage], groups []string) error {
	existing, err := templates(ctx, c, req.App, req.ID)
	if err != nil || len(existing) > 0 {
		return err
	}
	tags := aws.Tags(req.App, req.ID, req.Sequence)
	instance := aws.With(tags, map[string]string{"Name": req.ID})
	data := &types.RequestLaunchTemplateData{
		ImageId: &req.Artifact.ID, InstanceType: types.InstanceType(p.cfg.InstanceType), SecurityGroupIds: groups,
		TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{
			{ResourceType: types.ResourceTypeInstance, Tags: vpc.Specification(types.ResourceTypeInstance, instance)[0].Tags},
			{ResourceType: types.ResourceTypeVolume, Tags: vpc.Specification(types.ResourceTypeVolume, instance)[0].Tags},
		},
		// The second version of the metadata service is out of reach of a request
		// that somebody has the app send.
		MetadataOptions: &types.LaunchTemplateInstanceMetadataOptionsRequest{HttpTokens: types.LaunchTemplateHttpTokensStateRequired},
	}
	if p.cfg.Key != "" {
		data.KeyName = &p.cfg.Key
	}
	if p.cfg.InstanceProfile != "" {
		data.IamInstanceProfile = &types.LaunchTemplateIamInstanceProfileSpecificationRequest{Name: &p.cfg.InstanceProfile}
	}
	start, err := p.userData(req.DeployInput)
	if err != nil {
		return err
	}
	if start != "" {
		data.UserData = new(base64.StdEncoding.EncodeToString([]byte(start)))
	}
	_, err = c.ec2.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: &req.ID, LaunchTemplateData: data,
		TagSpecifications: vpc.Specification(types.ResourceTypeLaunchTemplate, tags),
	})
	if aws.Code(err) != "InvalidLaunchTemplateName.AlreadyExistsException" {
		return err
	}
	// An answer that was lost is asked for again by the SDK, in vain.
	if existing, unread := templates(ctx, c, req.App, req.ID); unread != nil || len(existing) > 0 {
		return unread
	}
	return nameTaken("a launch template", req.ID, err)
}

// templates returns the launch templates of an app, or of one deployment of it,
// the newest first.
func templates(ctx context.Context, c clients, app component.App, id string) ([]types.LaunchTemplate, error) {
	filters := vpc.Filters(aws.AppTags(app))
	if id != "" {
		filters = append(filters, types.Filter{Name: new("launch-template-name"), Values: []string{id}})
	}
	var found []types.LaunchTemplate
	err := aws.Pages(func(token *string) (*string, error) {
		page, err := c.ec2.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{Filters: filters, NextToken: token})
		if err != nil {
			return nil, err
		}
		found = append(found, page.LaunchTemplates...)
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(t types.LaunchTemplate) bool {
		return !aws.OfDeployment(vpc.Tags(t.Tags), app, sdk.ToString(t.LaunchTemplateName))
	})
	slices.SortStableFunc(found, func(a, b types.LaunchTemplate) int {
		return aws.Sequence(vpc.Tags(b.Tags)) - aws.Sequence(vpc.Tags(a.Tags))
	})
	return found, nil
}

// version returns what a launch template starts; nil where it is gone.
func version(ctx context.Context, c clients, id string) (*types.ResponseLaunchTemplateData, error) {
	answer, err := c.ec2.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateName: &id, Versions: []string{"$Latest"},
	})
	switch aws.Code(err) {
	case "InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateId.NotFound":
		return nil, nil
	}
	if err != nil || len(answer.LaunchTemplateVersions) == 0 {
		return nil, err
	}
	return answer.LaunchTemplateVersions[0].LaunchTemplateData, nil
}

// removeTemplate removes the launch template of a deployment.
func removeTemplate(ctx context.Context, c clients, app component.App, id string) error {
	found, err := templates(ctx, c, app, id)
	if err != nil {
		return err
	}
	for _, template := range found {
		_, err = c.ec2.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: template.LaunchTemplateId})
		switch aws.Code(err) {
		case "InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException":
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
