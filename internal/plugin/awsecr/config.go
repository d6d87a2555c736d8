package awsecr

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// RegistryConfig is the use block of the registry.
type RegistryConfig struct {
	// Region of the repository. By default that of the auth block, of the
	// action's input aws-region, or of AWS_REGION or AWS_DEFAULT_REGION.
	Region string `hcl:"region,optional"`

	// Name of the repository, for example "shop/web". By default "waypoint-" and
	// the name of the app.
	Repository string `hcl:"repository,optional"`

	// Tag that the image gets. In a repository that does not let tags move, one
	// that names another image is a mistake, and one that names the same image
	// is left as it is.
	Tag string `hcl:"tag"`

	// Number of the account that the repository is in, where it is not the one
	// that is signed in to. The repository's policy must allow it to push.
	RegistryID string `hcl:"registry_id,optional"`

	// Tags of the repository, beside those by which it is known as the app's.
	Tags map[string]string `hcl:"tags,optional"`

	// Whether images are scanned for known weaknesses when they arrive.
	ScanOnPush *bool `hcl:"scan_on_push,optional"`

	// "immutable" keeps a tag from ever naming another image; "mutable", as AWS
	// makes repositories, allows it.
	TagMutability string `hcl:"tag_mutability,optional"`

	// Which images expire. Without the block the repository's policy is left as
	// it is.
	Lifecycle *Lifecycle `hcl:"lifecycle,block"`
}

// Lifecycle says which images of the repository expire: only ever such that no
// tag names. What this plugin pushes is never among them, even when its tag
// moves on, since in a repository of its own it gives each image a tag that
// never moves, "deploy-action-" and the digest. So what is live, and what can be
// rolled back to, stays; an image that is not needed any more is deleted by
// deleting that tag.
type Lifecycle struct {
	// Days after which an image without a tag expires.
	UntaggedDays int `hcl:"untagged_days,optional"`

	// How many images without a tag are kept, the newest ones, in place of
	// untagged_days.
	UntaggedCount int `hcl:"untagged_count,optional"`
}

var (
	// repositoryName is what ECR accepts.
	// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
	repositoryName = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	accountNumber  = regexp.MustCompile(`^[0-9]{12}$`)
)

// mutabilities are the values of tag_mutability, and what AWS calls them.
var mutabilities = map[string]types.ImageTagMutability{
	"mutable": types.ImageTagMutabilityMutable, "immutable": types.ImageTagMutabilityImmutable,
}

// check reports what a type cannot say.
func (c RegistryConfig) check() error {
	return errors.Join(c.checkNames(), c.checkSettings())
}

func (c RegistryConfig) checkNames() error {
	var problems []error
	if c.Repository != "" {
		problems = append(problems, checkRepository(c.Repository))
	}
	if err := oci.CheckTag(c.Tag); err != nil {
		problems = append(problems, at("tag", err))
	}
	if c.RegistryID != "" && !accountNumber.MatchString(c.RegistryID) {
		problems = append(problems, &diag.Problem{
			Summary: "Invalid registry_id",
			Detail:  fmt.Sprintf("registry_id is %q. It is the number of an AWS account, twelve digits, written as text.", c.RegistryID),
			Attr:    "registry_id",
		})
	}
	return errors.Join(problems...)
}

func checkRepository(name string) error {
	if len(name) >= 2 && len(name) <= 256 && repositoryName.MatchString(name) {
		return nil
	}
	return &diag.Problem{
		Summary: "Invalid repository name",
		Detail: fmt.Sprintf("%q cannot be the name of a repository of ECR. It has 2 to 256 lower-case letters and digits, "+
			"with single dots, dashes, underscores and slashes between them, and neither host nor tag. Set `repository`.", name),
		Attr: "repository",
	}
}

func (c RegistryConfig) checkSettings() error {
	var problems []error
	if _, known := mutabilities[c.TagMutability]; c.TagMutability != "" && !known {
		problems = append(problems, &diag.Problem{
			Summary: "Unknown tag_mutability",
			Detail: fmt.Sprintf("tag_mutability is %q. Write \"mutable\" or \"immutable\".%s",
				c.TagMutability, diag.Suggest(c.TagMutability, []string{"mutable", "immutable"})),
			Attr: "tag_mutability",
		})
	}
	for name := range c.Tags {
		if strings.HasPrefix(name, "aws:") || strings.HasPrefix(name, "deploy-action.dev/") {
			problems = append(problems, &diag.Problem{
				Summary: "Reserved tag",
				Detail:  fmt.Sprintf("The tag %q cannot be set here: names that begin with \"aws:\" are AWS's, those with \"deploy-action.dev/\" say whose the repository is.", name),
				Attr:    "tags",
			})
		}
	}
	if l := c.Lifecycle; l != nil && (l.UntaggedDays < 0 || l.UntaggedCount < 0 || (l.UntaggedDays == 0) == (l.UntaggedCount == 0)) {
		problems = append(problems, &diag.Problem{
			Summary: "Unclear lifecycle",
			Detail:  "Set one of `untagged_days` and `untagged_count`, to a number of 1 or more.",
			Attr:    "lifecycle",
		})
	}
	return errors.Join(problems...)
}

// name returns the repository's name, without its host.
func (c RegistryConfig) name(app component.App) (string, error) {
	if c.Repository != "" {
		return c.Repository, nil
	}
	name := "waypoint-" + strings.ToLower(app.Name)
	return name, checkRepository(name)
}

// at points problems at an attribute, unless they name one themselves.
func at(attr string, err error) error {
	if problem, ok := errors.AsType[*diag.Problem](err); ok && problem.Attr == "" {
		located := *problem
		located.Attr = attr
		return &located
	}
	return err
}

// settles reports whether the block says anything about the repository itself.
func (c RegistryConfig) settles() bool {
	return len(c.Tags) > 0 || c.ScanOnPush != nil || c.TagMutability != "" || c.Lifecycle != nil
}

// settings says what the block wants of a new repository, in one line.
func (c RegistryConfig) settings() string {
	var all []string
	if c.ScanOnPush != nil && *c.ScanOnPush {
		all = append(all, "images are scanned")
	}
	if c.TagMutability != "" {
		all = append(all, "tags are "+c.TagMutability)
	}
	if c.Lifecycle != nil {
		all = append(all, c.Lifecycle.String())
	}
	return strings.Join(all, "; ")
}
