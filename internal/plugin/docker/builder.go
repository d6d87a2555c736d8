package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// builder builds images, with the built-in engine or another.
type builder struct {
	host  component.Host
	cfg   BuilderConfig
	login *oci.Login // of the auth block; nil without one
	time  time.Time
}

var _ component.Builder[artifact.Image] = (*builder)(nil)

func openBuilder(h component.Host, c BuilderConfig) (component.Builder[artifact.Image], error) {
	b := &builder{host: h, cfg: c}
	var err error
	if b.time, err = sourceTime(h.Getenv); err != nil {
		return nil, err
	}
	if err := errors.Join(b.checkEngine(), checkTimestamps(c)); err != nil {
		return nil, err
	}
	if err := checkPlatforms(c); err != nil {
		return nil, err
	}
	if c.Auth == nil {
		return b, nil
	}
	if c.Auth.Hostname == "" {
		return nil, &diag.Problem{
			Summary: "Login for no registry",
			Detail:  "The auth block of a build is for the base image's registry, which its attribute hostname must name.",
			Attr:    "auth",
		}
	}
	login, err := c.Auth.login()
	b.login = &login
	return b, err
}

func checkTimestamps(c BuilderConfig) error {
	if !slices.Contains([]string{"", "fixed", "keep"}, c.Timestamps) {
		return &diag.Problem{
			Summary: "Invalid timestamps",
			Detail:  fmt.Sprintf("timestamps is %q. Write \"fixed\" or \"keep\".", c.Timestamps),
			Attr:    "timestamps",
		}
	}
	return errors.Join(checkCompression(c), checkCacheRepo(c))
}

// sourceTime reads SOURCE_DATE_EPOCH, the convention for the time of files in
// a reproducible build. Without it the time is zero.
func sourceTime(getenv func(string) string) (time.Time, error) {
	text := getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, &diag.Problem{
			Summary: "Invalid SOURCE_DATE_EPOCH",
			Detail:  fmt.Sprintf("The environment variable SOURCE_DATE_EPOCH is %q, which is not a number of seconds. Correct it or unset it.", text),
		}
	}
	return time.Unix(seconds, 0), nil
}

// Build implements [component.Builder].
func (b *builder) Build(ctx context.Context, req component.BuildRequest) (artifact.Image, error) {
	var image artifact.Image
	err := b.host.Progress.Step(ctx, "Building image", func(ctx context.Context, step component.Step) error {
		var err error
		if image, err = b.build(ctx, req, step.Output()); err == nil {
			step.Update("%s", image.Digest)
		}
		return err
	})
	return image, err
}

// build makes the image in a layout of the app's own, where the next build
// finds the layers that did not change. What the user may want to know is
// written to notes.
func (b *builder) build(ctx context.Context, req component.BuildRequest, notes io.Writer) (artifact.Image, error) {
	app := req.App
	cache := b.host.CacheDir
	if b.cfg.CacheDir != "" {
		cache = below(app.Path, b.cfg.CacheDir)
	}
	layout, err := oci.OpenLayout(filepath.Join(cache, "images", "project-"+app.Project, "app-"+app.Name))
	if err != nil {
		return artifact.Image{}, err
	}
	root, err := repositoryRoot(app.Path)
	if err != nil {
		return artifact.Image{}, err
	}
	credentials := oci.Credentials{Getenv: b.host.Getenv, Environ: b.host.Environ, DockerConfig: b.host.DockerConfig}
	if b.login != nil {
		credentials.Logins = map[string]oci.Login{b.cfg.Auth.Hostname: *b.login}
	}
	ahead, err := b.prepare(layout, req.Repository)
	if err != nil {
		return artifact.Image{}, err
	}
	building, stop := context.WithCancel(ctx)
	defer stop()
	started := time.Now()
	note := func(text string) { fmt.Fprintln(notes, text) }
	request := build.Request{
		Root:       root,
		Context:    below(app.Path, b.cfg.Context),
		Dockerfile: below(app.Path, cmp.Or(b.cfg.Dockerfile, "Dockerfile")),
		Target:     b.cfg.Target,
		Args:       b.args(),
		Labels:     b.cfg.Labels,
		Secrets:    b.cfg.Secrets,
		Platform:   b.cfg.Platform,
		NoCache:    b.cfg.NoCache,
		Time:       b.time,
		KeepTimes:  b.cfg.Timestamps == "keep",
		Layout:     layout,
		Client:     oci.Client{HTTP: b.host.HTTP, Credentials: credentials},
		Ahead:      ahead,
		KeepBase:   b.login != nil, // push and deploy know nothing of this block
		Steps:      filepath.Join(cache, "steps"),
		Lasting:    b.cfg.CacheDir != "",
		Remote:     b.remoteCache(req.Repository),
		GitHub:     b.githubCache(req, note),
		Caches:     filepath.Join(cache, "mounts"),
		Work:       filepath.Join(b.host.CacheDir, "work"),
		Hidden:     b.host.Hidden,
		Watched:    b.host.Watched,
		Progress:   b.progress,
		Note:       note,
	}
	engine, err := b.choose(building, request)
	if err != nil {
		return artifact.Image{}, err
	}
	defer engine.close()
	if engine.reason != "" {
		request.Note(engine.reason)
	}
	request.Daemon, request.Sibling, request.Fit = engine.daemon, engine.sibling, engine.fit
	made, err := b.buildAll(building, request)
	if err != nil {
		stop() // nobody needs what is on its way
	}
	if ahead != nil {
		ahead.Wait() // what did not arrive is the push's to send
	}
	if err == nil {
		err = b.attest(ctx, req, request, made, started, notes)
	}
	if err != nil {
		return artifact.Image{}, err
	}
	return artifact.Image{
		Repository:   component.Label(app.Name, 60),
		Digest:       made.Digest,
		Layout:       layout.Dir(),
		Architecture: made.Architecture,
	}, nil
}

// args returns the values for ARG: those of the block, and the proxies of this
// machine, which BuildKit's rules let every RUN use and keep out of the image.
func (b *builder) args() map[string]string {
	args := map[string]string{}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"} {
		if value := cmp.Or(b.host.Getenv(name), b.host.Getenv(strings.ToLower(name))); value != "" {
			args[name] = value
		}
	}
	maps.Copy(args, b.cfg.BuildArgs)
	return args
}

// progress shows one step of the Dockerfile.
func (b *builder) progress(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error {
	return b.host.Progress.Step(ctx, title, func(ctx context.Context, step component.Step) error {
		return fn(ctx, step.Output())
	})
}

// below joins a path of the configuration to the app's folder.
func below(folder, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(folder, path)
}

// repositoryRoot returns the checkout that a folder is in, or the folder itself
// outside of any. It is the limit of what a build may read.
func repositoryRoot(folder string) (string, error) {
	for dir := folder; ; dir = filepath.Dir(dir) {
		_, err := os.Lstat(filepath.Join(dir, ".git"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("looking for the repository of %q: %w", folder, err)
		}
		if dir == filepath.Dir(dir) {
			return folder, nil
		}
	}
}
