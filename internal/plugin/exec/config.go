package exec

// PlatformConfig is the use block of the platform.
type PlatformConfig struct {
	// The program to run and its arguments, no shell between. Each element is
	// a Go template that can refer to ".Env.NAME" (the app's configuration
	// variables), ".Input" (what was built: "DockerImageFull",
	// "DockerImageName" and "DockerImageTag" of an image, and every value
	// that "artifact" has), ".Project", ".App", ".Workspace" and ".ID" (of
	// the deployment). The text "<TPL>" stands for the path of the rendered
	// template.
	Command []string `hcl:"command"`

	// The folder to run it in. A relative path starts at the app's folder,
	// which is also the default.
	Dir string `hcl:"dir,optional"`

	// An image to run the command in, such as "node:22", where this machine
	// lacks the program. The command sees the checkout where it is here. No
	// Docker engine is needed.
	Image string `hcl:"image,optional"`

	// A file, or a folder of files, to render with the same data for the
	// command to read.
	Template *Template `hcl:"template,block"`
}

// Template names what to render before the command runs.
type Template struct {
	// The file or folder. A relative path starts at the app's folder.
	Path string `hcl:"path"`
}
