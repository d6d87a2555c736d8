package dockerref

// BuilderConfig is the use block of the builder.
type BuilderConfig struct {
	// Name of the image without its tag, for example "ghcr.io/acme/web".
	Image string `hcl:"image"`

	// Tag of the image.
	Tag string `hcl:"tag"`
}
