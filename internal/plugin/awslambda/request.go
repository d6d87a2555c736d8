package awslambda

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// wanted is what a version shall be.
type wanted struct {
	component.DeployInput
	name         string // of the function
	description  string // of the version
	image        string // as Lambda takes it; "" for files
	archive      []byte // of files
	code         string // the image, or the SHA-256 of the archive as Lambda says it
	architecture types.Architecture
	env          map[string]string
}

// wanted returns what a deploy shall make, or what is wrong with that. It sends
// no request.
func (p *platform) wanted(req component.DeployRequest[artifact.Artifact]) (*wanted, error) {
	if err := p.deliverable(req.DeployInput); err != nil {
		return nil, err
	}
	env, err := p.environment(req.Env)
	if err != nil {
		return nil, err
	}
	w := &wanted{DeployInput: req.DeployInput, name: p.cfg.name(req.App), description: describe(req.ID, req.Sequence), env: env}
	switch made := req.Artifact.(type) {
	case artifact.Image:
		err = p.takeImage(w, made)
	case artifact.Files:
		err = p.takeFiles(w, made)
	default:
		err = fmt.Errorf("aws-lambda cannot run %T", made)
	}
	return w, err
}

// ecrImage matches repositories of ECR, with the region in it. Lambda does not
// take the other names that ECR has.
var ecrImage = regexp.MustCompile(`^\d{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/`)

// takeImage checks what Lambda would refuse of an image after minutes.
func (p *platform) takeImage(w *wanted, image artifact.Image) error {
	if p.cfg.Runtime != "" || p.cfg.Handler != "" {
		return &diag.Problem{
			Summary: "An image has its own runtime and handler",
			Detail:  "Remove runtime and handler from this block: they are for files. An image says by its entry point and command what runs.",
			Attr:    cmp.Or(map[bool]string{true: "runtime"}[p.cfg.Runtime != ""], "handler"),
		}
	}
	repository := ecrImage.FindStringSubmatch(image.Repository)
	switch {
	case image.Local() || repository == nil:
		return &diag.Problem{
			Summary: "Lambda runs images from ECR only",
			Detail: fmt.Sprintf("The name of the image %s is not one of ECR's. Give the build a registry with `use \"aws-ecr\"`, in the region %s.",
				image.Reference(), p.cfg.Region),
		}
	case repository[1] != p.cfg.Region:
		return &diag.Problem{
			Summary: fmt.Sprintf("The image is in %s, and the function in %s", repository[1], p.cfg.Region),
			Detail:  fmt.Sprintf("Lambda runs images of its own region only. Push %s to a repository in %s.", image.Repository, p.cfg.Region),
			Attr:    "region",
		}
	}
	var err error
	w.architecture, err = p.architecture(image)
	// With a tag beside the digest AWS refuses the name.
	w.image = image.Repository + ":" + cmp.Or(image.Tag, "latest")
	if image.Digest != "" {
		w.image = image.Repository + "@" + image.Digest
	}
	w.code = w.image
	return err
}

// architecture returns what an image runs on.
func (p *platform) architecture(image artifact.Image) (types.Architecture, error) {
	set := types.Architecture(p.cfg.Architecture)
	known := map[string]types.Architecture{"amd64": types.ArchitectureX8664, "x86_64": types.ArchitectureX8664, "arm64": types.ArchitectureArm64}
	built, ok := known[image.Architecture]
	switch {
	case image.Architecture == "" && set == "":
		return "", &diag.Problem{
			Summary: "Lambda takes no image for several platforms",
			Detail: fmt.Sprintf("%s is an index of images, or nobody knows what it is made for. Build with `platform` in place of `platforms`, "+
				"such as platform = \"linux/arm64\". If it is an image for one platform, set architecture here.", image.Reference()),
			Attr: "architecture",
		}
	case image.Architecture == "":
		return set, nil
	case !ok:
		return "", &diag.Problem{
			Summary: fmt.Sprintf("Lambda has no %s processors", image.Architecture),
			Detail:  "Build the image for linux/amd64 or linux/arm64.",
		}
	case set != "" && set != built:
		return "", &diag.Problem{
			Summary: fmt.Sprintf("The image is made for %s", built),
			Detail:  fmt.Sprintf("architecture says %q, and %s is made for %s. Build for the other one, or leave architecture out.", set, image.Reference(), built),
			Attr:    "architecture",
		}
	}
	return built, nil
}

// takeFiles packs a folder.
func (p *platform) takeFiles(w *wanted, files artifact.Files) error {
	for attr, value := range map[string]string{"handler": p.cfg.Handler, "runtime": p.cfg.Runtime} {
		if value == "" {
			return &diag.Problem{
				Summary: fmt.Sprintf("Files need a %s", attr),
				Detail: "The build makes a folder of files. Say what runs them, such as runtime = \"nodejs22.x\" and handler = \"index.handler\", " +
					"or runtime = \"provided.al2023\" and handler = \"bootstrap\" for a program.",
				Attr: attr,
			}
		}
	}
	var err error
	w.architecture = cmp.Or(types.Architecture(p.cfg.Architecture), types.ArchitectureX8664)
	w.archive, w.code, err = pack(files.Path)
	return err
}

// deliverable refuses what a function has no place for.
func (p *platform) deliverable(in component.DeployInput) error {
	if len(in.Files) > 0 {
		return &diag.Problem{
			Summary: "A function takes no files of the config block",
			Detail: fmt.Sprintf("Lambda cannot put %s into a function. Put the files into the image, or give their content as environment variables.",
				quoted(in.Files, func(component.Setting) bool { return true })),
		}
	}
	sensitive := quoted(in.Env, func(s component.Setting) bool { return s.Sensitive })
	if sensitive == "" || p.cfg.PlaintextSecrets {
		return nil
	}
	return &diag.Problem{
		Summary: "Sensitive values for a function",
		Detail: fmt.Sprintf("The app's config block has the sensitive values %s. A function's environment cannot refer to a secret: "+
			"everyone who may read the function in AWS can read them. Set plaintext_secrets = true in this block to accept that, "+
			"or have the app read the secret itself, by its role.", sensitive),
		Attr: "plaintext_secrets",
	}
}

// quoted lists the names of some settings.
func quoted(settings map[string]component.Setting, listed func(component.Setting) bool) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if listed(settings[name]) {
			names = append(names, strconv.Quote(name))
		}
	}
	return strings.Join(names, ", ")
}

var (
	variableName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)

	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
	reserved = regexp.MustCompile(`^(_HANDLER|_X_AMZN_TRACE_ID|AWS_DEFAULT_REGION|AWS_REGION|AWS_EXECUTION_ENV|` +
		`AWS_LAMBDA_(FUNCTION_NAME|FUNCTION_MEMORY_SIZE|FUNCTION_VERSION|INITIALIZATION_TYPE|LOG_GROUP_NAME|LOG_STREAM_NAME|RUNTIME_API)|` +
		`AWS_ACCESS_KEY|AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR)$`)
)

// environmentLimit is how long all names and values may be together.
const environmentLimit = 4096

// environment returns a function's variables.
func (p *platform) environment(settings map[string]component.Setting) (map[string]string, error) {
	env := map[string]string{}
	maps.Copy(env, p.cfg.StaticEnvironment)
	for name, setting := range settings {
		env[name] = setting.Text.Reveal()
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(env)) {
		size += len(name) + len(env[name])
		if !variableName.MatchString(name) || reserved.MatchString(name) {
			return nil, &diag.Problem{
				Summary: fmt.Sprintf("A function cannot have the variable %q", name),
				Detail: "Lambda takes names of at least two letters, digits and underscores that begin with a letter, " +
					"and keeps some for itself, such as AWS_REGION. Choose another name.",
			}
		}
	}
	if size > environmentLimit {
		return nil, &diag.Problem{
			Summary: "The function's environment is too large",
			Detail:  fmt.Sprintf("Names and values have %d bytes, and Lambda takes %d. Put large values into a parameter or a file that the app reads.", size, environmentLimit),
		}
	}
	return env, nil
}
