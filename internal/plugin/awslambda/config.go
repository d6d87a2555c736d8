package awslambda

import (
	"fmt"
	"regexp"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Config is the use block of the platform.
type Config struct {
	// The region to deploy to, such as "us-east-1". An image must be in ECR in
	// the same region.
	Region string `hcl:"region"`

	// Name of the function. By default it is the app's in the workspace
	// "default", and in another one the app's, the workspace's and some letters
	// that tell them from others. A function of that name which this program did
	// not make is never touched: the deploy fails.
	FunctionName string `hcl:"function_name,optional"`

	// ARN of the role that the function runs as. By default a role is made that
	// may write logs and nothing else. A function that exists gets the role too
	// when this changes.
	IAMRole string `hcl:"iam_role,optional"`

	// Memory in MB, 128 to 10240; 256 by default.
	Memory int `hcl:"memory,optional"`

	// How many seconds an invocation may take, 1 to 900; 60 by default.
	Timeout int `hcl:"timeout,optional"`

	// The processor, "x86_64" or "arm64". By default it is that of the image;
	// "x86_64" for files.
	Architecture string `hcl:"architecture,optional"`

	// Size of the folder /tmp in MB, 512 to 10240; 512 by default. It holds from
	// the first deploy on.
	StorageMB int `hcl:"storagemb,optional"`

	// Environment variables, under those of the app's config block. Secrets belong
	// in the latter.
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`

	// What runs files, such as "nodejs22.x" or "provided.al2023". An image brings
	// its own.
	Runtime string `hcl:"runtime,optional"`

	// What the runtime calls in files, such as "index.handler"; "bootstrap" for
	// the runtime "provided.al2023". An image brings its own.
	Handler string `hcl:"handler,optional"`

	// Whether each version gets a target group, by which "aws-alb" releases it;
	// true by default. A function with a URL of its own needs none.
	TargetGroup *bool `hcl:"target_group,optional"`

	// ARN of the KMS key that encrypts the environment variables. By default AWS
	// uses a key of its own.
	KMSKey string `hcl:"kms_key_arn,optional"`

	// Whether sensitive values of the app's config block may be given to the
	// function. AWS shows a function's environment to everyone who may read the
	// function.
	PlaintextSecrets bool `hcl:"plaintext_secrets,optional"`
}

// The values of attributes that are not set.
const (
	defaultMemory  = 256
	defaultTimeout = 60
	defaultStorage = 512
)

var (
	functionName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	roleARN      = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/.+$`)
)

// complete checks what was set, and sets what was not.
func (c *Config) complete() error {
	for _, number := range []struct {
		attr          string
		value         *int
		usual         int
		least, most   int
		unit, purpose string
	}{
		{"memory", &c.Memory, defaultMemory, 128, 10240, "MB", "memory"},
		{"timeout", &c.Timeout, defaultTimeout, 1, 900, "seconds", "time for an invocation"},
		{"storagemb", &c.StorageMB, defaultStorage, 512, 10240, "MB", "storage"},
	} {
		if *number.value == 0 {
			*number.value = number.usual
		}
		if *number.value < number.least || *number.value > number.most {
			return &diag.Problem{
				Summary: fmt.Sprintf("A function cannot have %d %s of %s", *number.value, number.unit, number.purpose),
				Detail:  fmt.Sprintf("Set %s to a number from %d to %d.", number.attr, number.least, number.most),
				Attr:    number.attr,
			}
		}
	}
	if c.Architecture != "" && c.Architecture != "x86_64" && c.Architecture != "arm64" {
		return &diag.Problem{
			Summary: fmt.Sprintf("Lambda has no architecture %q", c.Architecture),
			Detail:  "It has \"x86_64\" and \"arm64\"." + diag.Suggest(c.Architecture, []string{"x86_64", "arm64"}),
			Attr:    "architecture",
		}
	}
	if c.FunctionName != "" && !functionName.MatchString(c.FunctionName) {
		return &diag.Problem{
			Summary: fmt.Sprintf("A function cannot be named %q", c.FunctionName),
			Detail:  "The name of a function has 1 to 64 letters, digits, dashes and underscores.",
			Attr:    "function_name",
		}
	}
	if c.IAMRole != "" && !roleARN.MatchString(c.IAMRole) {
		return &diag.Problem{
			Summary: fmt.Sprintf("%q is not the ARN of a role", c.IAMRole),
			Detail:  "It looks like arn:aws:iam::123456789012:role/NAME. Leave iam_role out to have a role made.",
			Attr:    "iam_role",
		}
	}
	return nil
}

// name returns the name of an app's function. The workspace "default" has the
// one by which people know the function, and every other workspace one that no
// app's name can be.
func (c *Config) name(app component.App) string {
	switch {
	case c.FunctionName != "":
		return c.FunctionName
	case app.Workspace == "default" && functionName.MatchString(app.Name):
		return app.Name
	}
	return aws.Name(app, 64)
}

// targetGroup reports whether versions get target groups.
func (c *Config) targetGroup() bool { return c.TargetGroup == nil || *c.TargetGroup }
