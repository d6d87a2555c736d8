package awsecrpull

import (
	"context"
	"errors"
	"fmt"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// builder finds images in ECR.
type builder struct {
	host    component.Host
	cfg     BuilderConfig
	session *aws.Session
}

var _ component.Builder[artifact.Image] = (*builder)(nil)

func openBuilder(h component.Host, c BuilderConfig) (component.Builder[artifact.Image], error) {
	session, err := aws.Open(h, c.Region)
	if err := errors.Join(c.check(), at("region", err)); err != nil {
		return nil, err
	}
	return &builder{h, c, session}, nil
}

// Build implements [component.Builder].
func (b *builder) Build(ctx context.Context, _ component.BuildRequest) (artifact.Image, error) {
	var image artifact.Image
	title := "Looking for image " + b.cfg.Repository + ":" + b.cfg.Tag
	err := b.host.Progress.Step(ctx, title, func(ctx context.Context, step component.Step) error {
		detail, err := b.find(ctx)
		if err != nil {
			return at("repository", err)
		}
		if image, err = b.image(ctx, detail); err == nil {
			step.Update("%s", image.Digest)
		}
		return at("repository", err)
	})
	return image, err
}

// find asks which image the tag names.
func (b *builder) find(ctx context.Context) (types.ImageDetail, error) {
	loaded, err := b.session.Config(ctx)
	if err != nil {
		return types.ImageDetail{}, err
	}
	input := &ecr.DescribeImagesInput{
		RepositoryName: &b.cfg.Repository,
		ImageIds:       []types.ImageIdentifier{{ImageTag: &b.cfg.Tag}},
		Filter:         &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged},
	}
	if b.cfg.RegistryID != "" {
		input.RegistryId = &b.cfg.RegistryID
	}
	answer, err := ecr.NewFromConfig(loaded).DescribeImages(ctx, input)
	if _, missing := errors.AsType[*types.ImageNotFoundException](err); missing || err == nil && len(answer.ImageDetails) == 0 {
		return types.ImageDetail{}, b.missing("tag", "Image not found", fmt.Sprintf("has no image with the tag %q", b.cfg.Tag), loaded.Region, err)
	}
	if _, missing := errors.AsType[*types.RepositoryNotFoundException](err); missing {
		return types.ImageDetail{}, b.missing("repository", "Repository not found", "does not exist", loaded.Region, err)
	}
	if err != nil {
		return types.ImageDetail{}, err
	}
	return answer.ImageDetails[0], nil
}

func (b *builder) missing(attr, summary, what, region string, cause error) error {
	account := "the account that is signed in to"
	if b.cfg.RegistryID != "" {
		account = "account " + b.cfg.RegistryID
	}
	return &diag.Problem{
		Summary: summary,
		Detail: fmt.Sprintf("The repository %q in region %s of %s %s. Check repository, tag, region and account, "+
			"and that what makes the image has run.", b.cfg.Repository, region, account, what),
		Attr: attr, Err: cause,
	}
}

// image completes what was found with the architecture, for which an image's own
// settings are read where nobody forces one.
func (b *builder) image(ctx context.Context, detail types.ImageDetail) (artifact.Image, error) {
	region, err := b.session.Region(ctx)
	if err != nil {
		return artifact.Image{}, err
	}
	found := artifact.Image{
		Repository: aws.ImageHost(sdk.ToString(detail.RegistryId), region) + "/" + b.cfg.Repository,
		Tag:        b.cfg.Tag, Digest: sdk.ToString(detail.ImageDigest),
		Architecture: architectures[b.cfg.ForceArchitecture],
	}
	several := slices.Contains(indexTypes, sdk.ToString(detail.ImageManifestMediaType))
	if several == (found.Architecture == "") {
		return found, nil // all that is asked for is known: a list, or one image of a forced architecture
	}
	return b.read(ctx, found)
}

// indexTypes are lists of images for several platforms.
var indexTypes = []string{"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}

// read takes the image of the forced architecture out of a list, or notes the
// architecture of a single one.
func (b *builder) read(ctx context.Context, found artifact.Image) (artifact.Image, error) {
	from := &artifact.Repository{Name: found.Repository, Login: func(ctx context.Context) (string, secret.Text, error) {
		login, err := b.session.ImageLogin(ctx)
		return login.Username, login.Password, err
	}}
	platform := ""
	if found.Architecture != "" {
		platform = "linux/" + found.Architecture
	}
	image, err := oci.Client{HTTP: b.host.HTTP}.Fetch(ctx, found, from, platform)
	if err != nil {
		return artifact.Image{}, err
	}
	if found.Architecture != "" {
		digest, err := image.Digest()
		found.Digest = digest.String()
		return found, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return artifact.Image{}, fmt.Errorf("reading the settings of %s: %w", found.Reference(), err)
	}
	found.Architecture = config.Architecture
	return found, nil
}
