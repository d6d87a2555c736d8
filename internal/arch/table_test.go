package arch_test

// Patterns name packages by their path below internal. The element * stands
// for any one element or the end of one, as in plugin/* and plugin/aws*, and
// ** at the end for the package and everything below it.

// row says what the non-test files of a package may import from this module.
// The first row that matches a package counts, and every package has one.
type row struct {
	pkg string
	may []string
	why string
}

var table = []row{
	{"secret", nil, "a leaf: everything else may hold secrets"},
	{"retry", []string{"secret"}, "leaves stay leaves"},
	{"version", nil, "a leaf: whoever says which program this is asks it"},
	{"artifact", []string{"secret"}, "leaves stay leaves"},
	{"diag", []string{"secret"}, "leaves stay leaves"},
	{"state", []string{"secret"}, "leaves stay leaves"},
	{"workflow", []string{"secret"}, "it is a protocol, not a feature"},
	{"component", []string{"artifact", "diag", "secret"}, "what plugins see must stay small"},
	{"oci/untar", []string{"diag"}, "it writes the files of a layer and knows no image"},
	{"oci/compress", nil, "it compresses and knows no layer"},
	{"oci/transfer", []string{"retry"}, "it sends blobs and knows neither images nor logins"},
	{"oci", []string{"oci/untar", "oci/compress", "oci/transfer", "artifact", "secret", "retry", "diag"}, "it stores images and knows no component"},
	{"oci/build/graph", nil, "it is the form of a build, known to those that make it and those that run it"},
	{"oci/build/frontend", []string{"oci/build/graph", "diag"}, "it turns a Dockerfile into a graph and executes nothing"},
	{"oci/sbom", nil, "it lists the packages of an archive and does not know where that comes from"},
	{"oci/attest", []string{"oci", "oci/sbom", "artifact", "version"}, "it describes images and knows neither plugins nor builds"},
	{"oci/build/failure", []string{"diag"}, "it words what went wrong and knows no engine"},
	{"oci/build/files", []string{"diag"}, "it arranges files in layers and knows neither graphs nor registries"},
	{"oci/build/fetch", []string{"secret", "retry", "diag"}, "it fetches what ADD names and knows no graph"},
	{"oci/build/rootfs", []string{"oci/untar", "oci/build/files", "retry", "diag"}, "it unpacks a root and says what changed in it; what changes it is not its business"},
	{"oci/build/cache", []string{"oci", "artifact"}, "it finds layers by a key and does not know what the key is made of"},
	{
		"oci/build/solve",
		[]string{"oci", "oci/build/cache", "oci/build/graph", "oci/build/failure", "oci/build/files", "oci/build/fetch", "oci/build/rootfs", "oci/build/sandbox", "secret", "retry", "diag"},
		"it executes a graph and has never seen a Dockerfile",
	},
	{"oci/build/buildkit", []string{"oci", "oci/build/failure", "oci/build/files", "secret", "diag"}, "it has a daemon build, and knows no graph"},
	{
		"oci/build/sibling",
		[]string{"oci", "oci/container", "oci/build/sandbox", "artifact", "secret", "diag"},
		"it has this program build in another container, and is told how",
	},
	{"oci/build", []string{"oci", "oci/build/*", "artifact", "secret", "retry", "diag"}, "it builds a Dockerfile and knows no app: neither plugins nor the engine"},
	{"oci/build/sandbox", []string{"secret", "retry", "diag"}, "it runs a command in a folder and knows neither images nor Dockerfiles"},
	{"oci/container", []string{"oci", "secret", "diag"}, "it runs a command in an image and knows no pipeline"},
	{"cloud/oidc", []string{"secret"}, "it reads a token and knows no cloud"},
	{"cloud/vpc", []string{"cloud/aws", "component", "retry", "diag"}, "it makes security groups and knows nothing that is in them"},
	{"cloud/elb", []string{"cloud/aws", "cloud/vpc", "component", "retry", "diag"}, "it moves traffic between target groups and knows no targets"},
	{"cloud/*", []string{"cloud/oidc", "component", "secret", "retry", "diag"}, "what the plugins of a cloud share is made from what a plugin is given"},
	{
		"plugin/*",
		[]string{"component", "artifact", "diag", "secret", "oci", "oci/build", "oci/build/buildkit", "oci/build/sibling", "oci/container", "oci/attest", "cloud/*", "retry"},
		"a plugin does not know where it runs, and shares code with another plugin through cloud or oci",
	},
	{"builtin", []string{"component", "plugin/*"}, "it is a list"},
	{"external", []string{"component", "artifact", "diag", "secret"}, "it translates a protocol to component and back"},
	{"config/funcs", []string{"config/bounded", "secret", "diag"}, "functions know no project"},
	{"config/bounded", nil, "it bounds any HCL and knows no block"},
	{"config", []string{"component", "config/bounded", "config/funcs", "diag", "secret"}, "parsing has no effects"},
	{"doctor", []string{"secret"}, "it runs checks and makes none"},
	{"matrix", nil, "it decides what has changed, and is told all that it needs"},
	{"starter", nil, "it reads a repository and proposes files, and knows no project"},
	{
		"engine",
		[]string{"component", "artifact", "config", "state", "retry", "diag", "secret"},
		"it is tested without plugins, runner and GitHub",
	},
	{"ui", []string{"workflow", "component", "diag", "secret", "state"}, "it shows and does not act"},
	{
		"report",
		[]string{"state", "github", "workflow", "component", "artifact", "doctor", "secret", "diag"},
		"it implements engine.Reporter without importing the engine",
	},
	{"preview", []string{"engine", "config", "state", "github", "secret", "diag"}, "it runs operations and knows no plugin"},
	{"github", []string{"retry", "secret"}, "it is a remote service, not a feature"},
	{"state/memstore", []string{"state", "secret"}, "a store knows records, and nothing that makes them"},
	{"state/dirstore", []string{"state", "secret", "retry"}, "a store knows records, and nothing that makes them; it waits for locks"},
	{
		"state/claim",
		[]string{"state", "github", "workflow", "retry", "secret"},
		"it says on GitHub who deploys what, for every store that keeps records there",
	},
	{
		"state/*",
		[]string{"state", "state/claim", "github", "workflow", "retry", "secret"},
		"the only packages that know where records are, and that create Deployments",
	},
	{"testkit/**", []string{"**"}, "what tests share may look at everything but what wires it together"},
	{"app", []string{"**"}, "it is the one place where everything is wired"},
	{"cmd/*", []string{"app"}, "main reads signals and exits; app does the rest"},
	{"arch", nil, "it reads files"},
	{"workflows", nil, "it reads files and runs scripts"},
}

// testsMay lists what tests may import beside what their package may.
var testsMay = []row{
	{"**", []string{"testkit/**", "state/memstore"}, "fakes are shared"},
	{"plugin/docker", []string{"oci/build/sandbox"}, "its test binary is the helper that commands are started with"},
	{"plugin/*", []string{"config"}, "a plugin's example is decoded as a user's file is"},
}

// never lists edges that no row of the table allows, however wide it is.
var never = []struct{ from, to, why string }{
	{"testkit/**", "app", "what tests share must not depend on how the program is wired"},
	{"testkit/**", "builtin", "what tests share must not depend on the list of plugins"},
	{"testkit/**", "plugin/*", "a plugin's test brings the plugin"},
	{"app", "testkit/**", "the program never imports what is for tests"},
	{"app", "arch", "it is a test"},
}

// confinement keeps another module in its place.
type confinement struct {
	modules []string // import paths, or folders of them
	only    []string // packages that may import them
	except  []string // if only is nil: those that may not
	tests   bool     // tests are held to it too
	single  bool     // not more than one package may
	why     string
}

var confined = []confinement{
	{
		modules: []string{"google.golang.org/grpc"},
		only:    []string{"external", "oci/build/buildkit"},
		why:     "two protocols are spoken over it, each in one package",
	},
	{
		modules: []string{"github.com/hashicorp/go-plugin", "github.com/hashicorp/waypoint-plugin-sdk", "github.com/hashicorp/go-argmapper"},
		only:    []string{"external"},
		why:     "all oddities of the plugin protocol end in one package",
	},
	{
		modules: []string{"github.com/aws/"},
		only:    []string{"cloud/aws", "cloud/vpc", "cloud/elb", "plugin/aws*", "plugin/lambdafunctionurl", "plugin/vault"},
		why:     "each cloud SDK stays with its cloud package and the plugins that use it; Vault's sign-in with AWS is a signed request",
	},
	{
		modules: []string{"github.com/Azure/"},
		only:    []string{"cloud/azure", "plugin/azure*"},
		why:     "each cloud SDK stays with its cloud package and the plugins that use it",
	},
	{
		modules: []string{"cloud.google.com/", "google.golang.org/api"},
		only:    []string{"cloud/gcp", "plugin/google*"},
		why:     "each cloud SDK stays with its cloud package and the plugins that use it",
	},
	{
		modules: []string{"k8s.io/", "sigs.k8s.io/", "helm.sh/"},
		only:    []string{"cloud/kube", "plugin/kubernetes*", "plugin/helm"},
		why:     "each cloud SDK stays with its cloud package and the plugins that use it",
	},
	{
		modules: []string{"github.com/hashicorp/nomad"},
		only:    []string{"cloud/nomad", "plugin/nomad*"},
		why:     "each cloud SDK stays with its cloud package and the plugins that use it",
	},
	{
		modules: []string{"github.com/google/go-containerregistry"},
		only: []string{
			"oci", "oci/transfer", "oci/build", "oci/build/**", "testkit/**",
			"plugin/aws*", "plugin/docker*", "plugin/golang", "plugin/local", "plugin/pack",
		},
		why: "images are handled by oci and the plugins that build, push or unpack them",
	},
	{
		modules: []string{"github.com/buildpacks/", "github.com/docker/docker"},
		only:    []string{"plugin/pack", "testkit/servers"},
		why:     "the library of buildpacks, and the client that it takes, stay with the plugin that uses it",
	},
	{
		modules: []string{"github.com/moby/buildkit/frontend"},
		only:    []string{"oci/build/**", "oci/build"},
		single:  true,
		why:     "one package reads Dockerfiles",
	},
	{
		modules: []string{"github.com/hashicorp/hcl/v2", "github.com/zclconf/go-cty"},
		except:  []string{"secret", "retry", "state", "state/**", "github"},
		why:     "these packages know nothing of configuration",
	},
	{
		modules: []string{"github.com/google/go-github"},
		only:    []string{"github"},
		why:     "no type of that library leaves the package",
	},
	{
		modules: []string{"github.com/sethvargo/go-githubactions"},
		only:    []string{"workflow"},
		why:     "the runner's protocol is spoken in one place",
	},
	{
		modules: []string{"github.com/spf13/cobra"},
		only:    []string{"app"},
		why:     "only the command line parses flags",
	},
	{
		modules: []string{"github.com/google/go-cmp", "github.com/getkin/kin-openapi", "github.com/vektah/gqlparser", "github.com/rogpeppe/go-internal/testscript"},
		only:    []string{"testkit/**"},
		why:     "it is for tests",
	},
	{
		modules: []string{
			"github.com/stretchr/testify", "github.com/onsi/", "gotest.tools/", "github.com/matryer/is",
			"github.com/frankban/quicktest", "github.com/golang/mock", "go.uber.org/mock",
		},
		only:  []string{},
		tests: true,
		why:   "tests say what they compare; go-cmp shows the difference",
	},
}

// ban is a call that only certain places may make. A place that is allowed is
// so in its tests too.
type ban struct {
	calls   []string // package.Function; "testing" stands for a test's own t, b or tb
	allowed []string // packages
	tests   bool     // tests are held to it too
	bubble  bool     // a test file that uses testing/synctest may
	why     string
}

var banned = []ban{
	{
		calls:   []string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv"},
		allowed: []string{"cmd/*", "testkit/**"},
		why:     "the environment comes in through app.Sys and Host, so that a test has it all",
	},
	{
		calls: []string{"os.Setenv", "os.Unsetenv"},
		tests: true,
		why:   "it changes the whole process: give the child its own environment, inject Getenv",
	},
	{
		calls:   []string{"os.Chdir", "testing.Setenv", "testing.Chdir"},
		allowed: []string{"plugin/local", "oci/build/sandbox"},
		tests:   true,
		why:     "it changes the whole process, so that nothing can run beside it: inject Getenv or Dir",
	},
	{
		calls:   []string{"http.DefaultClient", "http.Get", "http.Head", "http.Post", "http.PostForm"},
		allowed: []string{"cmd/*"},
		why:     "every request goes through the client that was handed in",
	},
	{
		calls:   []string{"fmt.Print", "fmt.Printf", "fmt.Println"},
		allowed: []string{"cmd/*", "testkit/githubfake/cmd/*"},
		why:     "what users see goes through the ui, which redacts and defuses it",
	},
	{
		calls:   []string{"context.Background", "context.TODO"},
		allowed: []string{"cmd/*", "testkit/**"},
		why:     "a context comes from the caller, so that an interrupt reaches everything",
	},
	{
		calls:   []string{"time.Sleep"},
		allowed: []string{"retry"},
		tests:   true,
		bubble:  true,
		why:     "waiting that ignores its context cannot be cancelled: use retry.Sleep or retry.Poll, and testing/synctest in tests",
	},
}
