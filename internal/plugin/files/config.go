package files

// BuilderConfig is the use block of the builder: it has no attributes.
type BuilderConfig struct{}

// RegistryConfig is the use block of the registry.
type RegistryConfig struct {
	// The folder that keeps the copies, each in a folder named for the app and
	// its content: "PATH/APP/HASH". A relative path starts at the app's folder
	// and stays in it; an absolute one may be anywhere, for example
	// "${path.project}/dist". Version control (".git"), the program's own
	// state (".deploy-action") and the folder itself are not copied.
	Path string `hcl:"path"`
}
