package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// Task is a command to run in the files of an image.
type Task struct {
	Image string   // as people write it
	Args  []string // in place of the image's entry point and command
	Env   []string // wins over the image's; see [TaskEnv]

	// Dir is the absolute folder to run in. The command sees the checkout that it
	// is in, or else the folder, where it is here, and may change it; the same
	// goes for Folders.
	Dir     string
	Folders []string

	Client oci.Client // reads the image
	Work   string     // folder for unpacked files, as that of a [Request]
	Output io.Writer  // both streams

	Hidden, Watched []string // as those of a [Request]
}

// TaskError says how a command ended that ran and did not succeed.
type TaskError = sandbox.ExitError

// RunTask runs a command in the files of an image, without a container engine,
// and removes them. Of the command's changes those in the workspace stay. Git's
// settings there, in which a checkout leaves the job's token, look empty to it.
// When ctx ends, the command is killed with all that it started. That it ran and
// did not succeed is a [*TaskError].
func RunTask(ctx context.Context, t Task) (err error) {
	image, err := t.fetch(ctx)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return fmt.Errorf("reading image %q: %w", t.Image, err)
	}
	work, err := makeWork(sandbox.Home(), t.Work)
	if err != nil {
		return err
	}
	defer func() {
		if left := rootfs.Remove(work); left != nil && err == nil {
			err = fmt.Errorf("removing the image's files: %w", left)
		}
	}()
	workspace, err := checkout(t.Dir)
	if err != nil {
		return err
	}
	root, options := filepath.Join(work, "root"), sandboxOptions(work, workspace, 0, t.Hidden, t.Watched)
	if err := os.MkdirAll(options.Work, 0o700); err != nil {
		return fmt.Errorf("opening a sandbox: %w", err)
	}
	box, err := sandbox.Open(ctx, options)
	if err != nil {
		return err
	}
	if err := oci.Unpack(ctx, image, root); err != nil {
		return err
	}
	if box.Rung() == sandbox.Swap {
		if err := checkHidden(t.Image, root, workspace); err != nil {
			return err
		}
	}
	mounts, err := t.mounts(box.Rung(), workspace, work)
	if err != nil {
		return err
	}
	return box.Run(ctx, sandbox.Command{
		Root: root, Args: t.Args, Env: merged(config.Config.Env, t.Env), Dir: t.Dir, User: config.Config.User,
		Mounts: mounts, Output: t.Output,
	})
}

// fetch opens the image for this machine.
func (t Task) fetch(ctx context.Context) (v1.Image, error) {
	named, err := oci.ParseReference(t.Image)
	if err != nil {
		return nil, err
	}
	return t.Client.Fetch(ctx, named, nil, "")
}

// checkout returns the folder with the .git that a folder is in, or the folder.
func checkout(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		_, err := os.Lstat(filepath.Join(at, ".git"))
		if err == nil {
			return at, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("looking for the repository of %q: %w", dir, err)
		}
		if at == filepath.Dir(at) {
			return dir, nil
		}
	}
}

// mounts are what the command shares with this machine, and an empty file over
// git's settings where files can be mounted.
func (t Task) mounts(rung sandbox.Rung, workspace, work string) ([]sandbox.Mount, error) {
	var mounts []sandbox.Mount
	for _, folder := range append([]string{workspace}, t.Folders...) {
		mounts = append(mounts, sandbox.Mount{Kind: sandbox.Shared, Target: folder, Source: folder})
	}
	settings := gitSettings(workspace)
	if _, err := os.Lstat(settings); err != nil || rung == sandbox.Swap {
		return mounts, nil
	}
	empty := filepath.Join(work, "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		return nil, fmt.Errorf("hiding git's settings: %w", err)
	}
	return append(mounts, sandbox.Mount{Kind: sandbox.Bind, Target: settings, Source: empty, ReadOnly: true}), nil
}

// checkHidden refuses a workspace that would hide a folder of the image, in
// whose place it stays.
func checkHidden(image, root, workspace string) error {
	first := workspace
	for filepath.Dir(first) != "/" {
		first = filepath.Dir(first)
	}
	inside, err := os.ReadDir(filepath.Join(root, first))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(inside) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the image's files: %w", err)
	}
	return &diag.Problem{
		Summary: "The image has files where the workspace is",
		Detail: fmt.Sprintf("The workspace is %s, and the image %q has a folder %s of its own. Where nothing can be mounted, only one "+
			"of them can be seen. Move the workspace, or permit user namespaces in this container (seccomp=unconfined).", workspace, image, first),
		Attr: "image",
	}
}

// merged joins two environments; the second wins.
func merged(image, own []string) []string {
	named := map[string]bool{}
	for _, variable := range own {
		name, _, _ := strings.Cut(variable, "=")
		named[name] = true
	}
	all := slices.DeleteFunc(slices.Clone(image), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return named[name]
	})
	return append(all, own...)
}

// machines are the variables that name folders of a machine and not of an
// image; one that ends in * is a prefix.
var machines = strings.Fields("PATH HOME USER LOGNAME SHELL TMPDIR TERM SSL_CERT_* CURL_CA_BUNDLE REQUESTS_CA_BUNDLE NODE_* GIT_SSL_CAINFO XDG_* GO* JAVA_HOME* M2_HOME " +
	"GRADLE_* PIP_* VIRTUAL_ENV PYTHON* UV_* CARGO_* RUSTUP_* GEM_* BUNDLE_PATH DOTNET_ROOT NUGET_* RUNNER_TEMP RUNNER_TOOL_CACHE DOCKER_HOST")

// TaskEnv returns what of the environment of a child process means something in
// an image: not the folders of this machine.
func TaskEnv(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.ContainsFunc(machines, func(known string) bool {
			prefix, isPrefix := strings.CutSuffix(known, "*")
			return name == known || isPrefix && strings.HasPrefix(name, prefix)
		})
	})
}
