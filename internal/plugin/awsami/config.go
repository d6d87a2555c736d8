package awsami

// BuilderConfig is the use block of the builder.
type BuilderConfig struct {
	// Region of the image. By default that of the auth block, of the action's
	// input aws-region, or of AWS_REGION or AWS_DEFAULT_REGION.
	Region string `hcl:"region,optional"`

	// Whose images are looked at: numbers of accounts, "self", "amazon",
	// "aws-marketplace". By default one's own and Amazon's: anybody can publish an
	// image under any name, so a stranger's is only ever taken where the stranger
	// is named here.
	Owners []string `hcl:"owners,optional"`

	// Name of the image; * stands for any text, ? for one character.
	Name string `hcl:"name,optional"`

	// Further filters, as the API has them for DescribeImages, each with the
	// values that fit. Where none says otherwise, only images that can be used
	// now are looked at (state = ["available"]).
	Filters map[string][]string `hcl:"filters,optional"`
}
