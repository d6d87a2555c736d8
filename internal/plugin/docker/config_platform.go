package docker

// PlatformConfig is the use block of the platform.
type PlatformConfig struct {
	// What the container runs, in place of the image's own command.
	Command []string `hcl:"command,optional"`

	// The port on which the app serves, 3000 by default. The engine publishes
	// it at a free port, and the app finds it in the variable PORT. The value
	// 0 is for a process that serves nothing.
	ServicePort *int `hcl:"service_port,optional"`

	// Further ports to publish, each at a free port.
	ExtraPorts []int `hcl:"extra_ports,optional"`

	// Environment variables, over those of the image and under those of the
	// app's config block. Secrets belong in the latter.
	StaticEnvironment map[string]string `hcl:"static_environment,optional"`

	// Folders of the engine's machine and volumes to mount, as
	// "SOURCE:TARGET" or "SOURCE:TARGET:ro".
	Binds []string `hcl:"binds,optional"`

	// Labels for the container. Those that begin with "deploy-action.dev/"
	// are this program's own and win.
	Labels map[string]string `hcl:"labels,optional"`

	// Networks of the engine to connect the container to, besides the default
	// one. They must exist.
	Networks []string `hcl:"networks,optional"`

	// Limits: "memory", such as "512m", and "cpu", a share relative to other
	// containers, where 1024 is the usual one.
	Resources map[string]string `hcl:"resources,optional"`

	// Whether to pull the image although the engine has it.
	ForcePull bool `hcl:"force_pull,optional"`

	// How the engine signs in to the image's registry. By default it gets the
	// login that the image was pushed with, or one from the Docker
	// configuration file.
	Auth *Auth `hcl:"auth,block"`

	// Which engine to use. By default it is the one that the variables
	// DOCKER_HOST, DOCKER_CERT_PATH and DOCKER_API_VERSION name, else that of
	// this machine.
	ClientConfig *ClientConfig `hcl:"client_config,block"`

	// A folder in the container for scratch data. It is a volume of its own
	// that is removed with the container.
	ScratchPath string `hcl:"scratch_path,optional"`

	// Whether sensitive values of the app's config block may be given to the
	// container. The engine shows a container's environment to everyone who
	// may use the engine.
	PlaintextSecrets bool `hcl:"plaintext_secrets,optional"`
}

// ClientConfig names a Docker engine.
type ClientConfig struct {
	// Its address, such as "unix:///var/run/docker.sock" or
	// "tcp://build.example.com:2376".
	Host string `hcl:"host,optional"`

	// Folder with the files "ca.pem", "cert.pem" and "key.pem", for TLS.
	CertPath string `hcl:"cert_path,optional"`

	// Version of the API to speak. By default it is the newest that both
	// sides know.
	APIVersion string `hcl:"api_version,optional"`
}
