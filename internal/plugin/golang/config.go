package golang

// BuilderConfig is the use block of the builder.
type BuilderConfig struct {
	// The package of the program, relative to the app's folder, which it is by
	// default.
	Package string `hcl:"package,optional"`

	// The image to put the program on; by default one with certificates, time
	// zones and a user, and without a shell. "scratch" is no image at all.
	Base string `hcl:"base,optional"`

	// Further flags of "go build", such as ["-tags", "netgo"]. The program has no
	// paths of this machine in it (-trimpath) in any case.
	Flags []string `hcl:"flags,optional"`

	// Variables for "go build" beside those of this machine. CGO_ENABLED is 0
	// unless it is set here.
	Env map[string]string `hcl:"env,optional"`

	// What to build for, such as "linux/arm64"; by default Linux on the kind
	// of processor that this program runs on.
	Platform string `hcl:"platform,optional"`

	// Labels that the image gets.
	Labels map[string]string `hcl:"labels,optional"`

	// Whether to store beside the image in the registry how it was made, as SLSA
	// provenance: the commit, the package, the base image and the run of the
	// workflow. The image itself stays the same. It is not signed. See
	// docs/supply-chain.md.
	Provenance bool `hcl:"provenance,optional"`

	// Whether to store beside the image in the registry which packages it holds,
	// as an SPDX document: the modules of the program, and what the base's dpkg
	// or apk name. It is not signed. See docs/supply-chain.md.
	SBOM bool `hcl:"sbom,optional"`
}
