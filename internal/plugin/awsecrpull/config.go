package awsecrpull

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// BuilderConfig is the use block of the builder.
type BuilderConfig struct {
	// Region of the repository. By default that of the auth block, of the
	// action's input aws-region, or of AWS_REGION or AWS_DEFAULT_REGION.
	Region string `hcl:"region,optional"`

	// Name of the repository, for example "shop/web".
	Repository string `hcl:"repository"`

	// Tag of the image.
	Tag string `hcl:"tag"`

	// Number of the account that the repository is in, where it is not the one
	// that is signed in to.
	RegistryID string `hcl:"registry_id,optional"`

	// Architecture of the image, "x86_64" or "arm64", in place of the one that it
	// says of itself. Of an image for several platforms the one for this
	// architecture is taken, as aws-lambda needs it.
	ForceArchitecture string `hcl:"force_architecture,optional"`

	// Accepted for compatibility, without effect: nothing is added to images.
	DisableEntrypoint bool `hcl:"disable_entrypoint,optional"`
}

// architectures are the values of force_architecture, and what images call them.
var architectures = map[string]string{"x86_64": "amd64", "amd64": "amd64", "arm64": "arm64"}

var accountNumber = regexp.MustCompile(`^[0-9]{12}$`)

// check reports what a type cannot say.
func (c BuilderConfig) check() error {
	var problems []error
	if err := oci.CheckRepository("ecr.test/" + c.Repository); err != nil {
		problems = append(problems, &diag.Problem{
			Summary: "Invalid repository name",
			Detail:  fmt.Sprintf("%q cannot be the name of a repository of ECR. Write it in lower case, with neither host nor tag, for example \"shop/web\".", c.Repository),
			Attr:    "repository",
		})
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
	if _, known := architectures[c.ForceArchitecture]; c.ForceArchitecture != "" && !known {
		problems = append(problems, &diag.Problem{
			Summary: "Unknown force_architecture",
			Detail: fmt.Sprintf("force_architecture is %q. Write \"x86_64\" or \"arm64\".%s",
				c.ForceArchitecture, diag.Suggest(c.ForceArchitecture, []string{"x86_64", "arm64"})),
			Attr: "force_architecture",
		})
	}
	return errors.Join(problems...)
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
