package docker

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// checkPlatforms checks the attributes platform and platforms.
func checkPlatforms(c BuilderConfig) error {
	if c.Platform != "" && len(c.Platforms) > 0 {
		return &diag.Problem{
			Summary: "Both platform and platforms",
			Detail:  "platforms takes the place of platform. Remove one of them.",
			Attr:    "platforms",
		}
	}
	if _, err := oci.ParsePlatform(c.Platform); err != nil {
		return err
	}
	var seen []string
	for _, text := range c.Platforms {
		if text == "" {
			return &diag.Problem{Summary: "Invalid platform", Detail: "platforms has an empty entry. Remove it.", Attr: "platforms"}
		}
		platform, err := oci.ParsePlatform(text)
		if err != nil {
			return insteadAt("platforms", err)
		}
		if slices.Contains(seen, platform.String()) {
			return &diag.Problem{
				Summary: "Platform named twice",
				Detail:  fmt.Sprintf("platforms has %q twice. Remove one.", text),
				Attr:    "platforms",
			}
		}
		seen = append(seen, platform.String())
	}
	return nil
}

// platforms lists what is built for.
func (b *builder) platforms() []string {
	if len(b.cfg.Platforms) > 0 {
		return b.cfg.Platforms
	}
	return []string{cmp.Or(b.cfg.Platform, oci.DefaultPlatform)}
}

// built is an image, or an index of some.
type built struct {
	build.Result
	images []string // digests of an index's images; nil for a single image
}

// buildAll builds for each platform. Of several images it makes an index, whose
// digest is the result's and which is of no architecture.
func (b *builder) buildAll(ctx context.Context, req build.Request) (built, error) {
	platforms := b.platforms()
	if len(platforms) == 1 {
		req.Platform = platforms[0]
		result, err := build.Build(ctx, req)
		return built{Result: result}, err
	}
	atOnce, err := sideBySide(ctx, req, platforms)
	if err != nil {
		return built{}, err
	}
	req.Note = once(req.Note)
	results := make([]build.Result, len(platforms))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, platform := range platforms {
		group.Go(func() error {
			one := req
			one.Platform = platform
			one.Progress = func(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error {
				return req.Progress(ctx, platform+" "+title, fn)
			}
			var err error
			results[i], err = build.Build(inner, one)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return built{}, err
	}
	var all built
	for _, result := range results {
		all.images = append(all.images, result.Digest)
		for _, base := range result.Bases {
			if !slices.Contains(all.Bases, base) {
				all.Bases = append(all.Bases, base)
			}
		}
	}
	all.Digest, err = req.Layout.AddIndex(all.images)
	return all, err
}

// sideBySide says how many platforms are built at once: all, or where this
// program runs commands one, so that the next finds in the cache what both have
// in common. A daemon does that by itself.
func sideBySide(ctx context.Context, req build.Request, platforms []string) (int, error) {
	if req.Daemon != nil {
		return len(platforms), nil
	}
	req.Platform = platforms[0]
	if runs, err := build.Runs(ctx, req); err != nil || runs {
		return 1, err
	}
	return len(platforms), nil
}

// once passes each text on only the first time. It may be called concurrently.
func once(note func(string)) func(string) {
	var mu sync.Mutex
	told := map[string]bool{}
	return func(text string) {
		mu.Lock()
		defer mu.Unlock()
		if !told[text] {
			told[text] = true
			note(text)
		}
	}
}
