package build

import (
	"context"
	"fmt"
	"os"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/buildkit"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// hand has a daemon build the image.
func hand(ctx context.Context, req Request, name string, content []byte, source *source) (Result, error) {
	platform, err := oci.ParsePlatform(req.Platform)
	if err != nil {
		return Result{}, err
	}
	work, err := makeWork(sandbox.Home(), req.Work)
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(work) // it is below a folder that ends with the job
	view := files.Context(source.root, source.ignore)
	digest, architecture, err := buildkit.Build(ctx, req.Daemon, buildkit.Request{
		File: name, Content: content, Context: view,
		Target: req.Target, Args: req.Args, Labels: req.Labels, Secrets: req.Secrets,
		Platform: platform.String(), NoCache: req.NoCache,
		Times:  files.Times{Fixed: req.Time, Keep: req.KeepTimes},
		Layout: req.Layout, Logins: req.Client.Credentials, Work: work,
		Progress: req.Progress,
	})
	for _, name := range files.Skipped(view) {
		req.Note(skipped(name))
	}
	return Result{Digest: digest, Architecture: architecture}, err
}

// Fit says whether the built-in engine is the best one here, and why.
type Fit struct {
	Best bool
	Why  string

	sandbox *sandbox.Sandbox // how commands run; nil where they cannot
}

// Suits looks whether the built-in engine is the best one to carry out a
// request here. It is not where commands must run and could do so only beside
// this program, in its own root folder, or not at all.
func Suits(ctx context.Context, req Request) (Fit, error) {
	req = withDefaults(req)
	work, err := makeWork(sandbox.Home(), req.Work)
	if err != nil {
		return Fit{}, err
	}
	defer os.RemoveAll(work) // as above
	options := sandboxOptions(work, req.Root, req.Rung, nil, nil)
	if err := os.MkdirAll(options.Work, 0o700); err != nil {
		return Fit{}, fmt.Errorf("opening a sandbox: %w", err)
	}
	box, refused := sandbox.Open(ctx, options)
	if ctx.Err() != nil {
		return Fit{}, context.Cause(ctx)
	}
	var rung sandbox.Rung
	if refused == nil {
		rung = box.Rung()
	}
	best, why, err := suits(rung, func() (bool, error) { return Runs(ctx, req) })
	return Fit{best, why, box}, err
}

// suits decides that by the way in which commands can run here, 0 for none, and
// asks whether there are any only where it matters.
func suits(rung sandbox.Rung, runs func() (bool, error)) (bool, string, error) {
	if rung == sandbox.Mounts || rung == sandbox.UserNamespace {
		return true, fmt.Sprintf("commands run with %s", rung), nil
	}
	needed, err := runs()
	switch {
	case err != nil:
		return false, "", err
	case !needed:
		return true, "no command is to be run", nil
	case rung == 0:
		return false, "this machine permits no namespaces to run commands in", nil
	}
	return false, fmt.Sprintf("here commands could only run in %s, from where they reach what is mounted into it", rung), nil
}

// Runs reports whether a build takes commands. It reads what the base images are,
// but no layer.
func Runs(ctx context.Context, req Request) (bool, error) {
	root, err := openRoot(req)
	if err != nil {
		return false, err
	}
	defer root.Close()
	name, content, err := readDockerfile(root, req)
	if err != nil {
		return false, err
	}
	req.Note = func(string) {} // the build itself tells the warnings
	converted, err := convert(ctx, req, name, content, newImages(ctx, req.Client, nil))
	if err != nil {
		return false, err
	}
	for _, step := range converted.Graph.Steps {
		if step.Op.GetExec() != nil {
			return true, nil
		}
	}
	return false, nil
}
