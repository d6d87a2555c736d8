package awsami

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// builder finds machine images.
type builder struct {
	host    component.Host
	cfg     BuilderConfig
	session *aws.Session
}

var _ component.Builder[artifact.MachineImage] = (*builder)(nil)

func openBuilder(h component.Host, c BuilderConfig) (component.Builder[artifact.MachineImage], error) {
	if c.Name == "" && len(c.Filters) == 0 && len(c.Owners) == 0 {
		return nil, &diag.Problem{
			Summary: "Any image would do",
			Detail:  "Without `name`, `filters` and `owners` the newest image of Amazon's many thousands would be taken. Say which one is meant.",
			Attr:    "name",
		}
	}
	session, err := aws.Open(h, c.Region)
	if err != nil {
		return nil, at("region", err)
	}
	return &builder{h, c, session}, nil
}

// Build implements [component.Builder].
func (b *builder) Build(ctx context.Context, _ component.BuildRequest) (artifact.MachineImage, error) {
	var image artifact.MachineImage
	err := b.host.Progress.Step(ctx, "Looking for the machine image", func(ctx context.Context, step component.Step) error {
		newest, err := b.newest(ctx)
		if err != nil {
			return at("region", err)
		}
		image.ID = sdk.ToString(newest.ImageId)
		image.Region, err = b.session.Region(ctx)
		fmt.Fprintf(step.Output(), "%s %s, made %s\n", image.ID, sdk.ToString(newest.Name), sdk.ToString(newest.CreationDate))
		return err
	})
	if err != nil {
		return artifact.MachineImage{}, err
	}
	return image, nil
}

// newest returns the newest image that fits. Of two that were made in the same
// moment it is always the same one.
func (b *builder) newest(ctx context.Context) (types.Image, error) {
	loaded, err := b.session.Config(ctx)
	if err != nil {
		return types.Image{}, err
	}
	client, request := ec2.NewFromConfig(loaded), b.cfg.request()
	var found []types.Image
	err = aws.Pages(func(token *string) (*string, error) {
		request.NextToken = token
		page, err := client.DescribeImages(ctx, request)
		if err != nil {
			return nil, err
		}
		found = append(found, page.Images...)
		return page.NextToken, nil
	})
	if err != nil {
		return types.Image{}, err
	}
	if len(found) == 0 {
		return types.Image{}, b.cfg.none(loaded.Region)
	}
	return slices.MaxFunc(found, func(x, y types.Image) int {
		// The dates are of one length and one zone.
		return cmp.Or(
			cmp.Compare(sdk.ToString(x.CreationDate), sdk.ToString(y.CreationDate)),
			cmp.Compare(sdk.ToString(x.ImageId), sdk.ToString(y.ImageId)))
	}), nil
}

// owners are whose images are looked at.
func (c BuilderConfig) owners() []string {
	if len(c.Owners) > 0 {
		return c.Owners
	}
	return []string{"self", "amazon"}
}

// filters are those of the block, with the name among them.
func (c BuilderConfig) filters() map[string][]string {
	filters := map[string][]string{"state": {string(types.ImageStateAvailable)}}
	maps.Copy(filters, c.Filters)
	if c.Name != "" {
		filters["name"] = []string{c.Name}
	}
	return filters
}

// request asks for the images that fit.
func (c BuilderConfig) request() *ec2.DescribeImagesInput {
	filters := c.filters()
	input := &ec2.DescribeImagesInput{Owners: c.owners()}
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		input.Filters = append(input.Filters, types.Filter{Name: &name, Values: filters[name]})
	}
	return input
}

// none explains that no image fits.
func (c BuilderConfig) none(region string) error {
	filters := c.filters()
	var asked []string
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		asked = append(asked, fmt.Sprintf("%s = %q", name, filters[name]))
	}
	remedy := "Check the region, since images are of one region each, and the filters."
	if len(c.Owners) == 0 {
		remedy += " An image of anybody else is found where `owners` names the account."
	}
	return &diag.Problem{
		Summary: "No machine image fits",
		Detail: fmt.Sprintf("Region %s has no image of the owners %s with %s. %s",
			region, strings.Join(c.owners(), ", "), strings.Join(asked, ", "), remedy),
		Attr: "name",
	}
}

// at points a problem at an attribute, unless it names one itself.
func at(attr string, err error) error {
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Attr != "" {
		return err
	}
	located := *problem
	located.Attr = attr
	return &located
}
