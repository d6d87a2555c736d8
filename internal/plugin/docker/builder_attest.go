package docker

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/attest"
	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// attest says in the layout how the image was made and what is in it, as far as
// that is asked for.
func (b *builder) attest(ctx context.Context, req component.BuildRequest, made build.Request, result build.Result, started time.Time, notes io.Writer) error {
	name := component.Label(req.App.Name, 60)
	if req.Repository != nil {
		name = req.Repository.Name
	}
	request := attest.Request{
		Layout: made.Layout, Client: made.Client, Name: name, Digest: result.Digest,
		Packages: b.cfg.SBOM, Finished: time.Now(), Getenv: b.host.Getenv, Temp: b.host.TempDir,
		Note: func(text string) { fmt.Fprintln(notes, text) },
	}
	if b.cfg.Provenance {
		request.Provenance = b.provenance(made, result, started)
	}
	return attest.Attach(ctx, request)
}

// provenance says how an image was made. Of build arguments it has the names,
// since a value may be what nobody should see.
func (b *builder) provenance(made build.Request, result build.Result, started time.Time) *attest.Build {
	below := func(path string) string {
		name, err := filepath.Rel(made.Root, path)
		if err != nil {
			return path
		}
		return filepath.ToSlash(name)
	}
	parameters := map[string]any{
		"dockerfile": below(made.Dockerfile),
		"context":    below(made.Context),
		"platform":   cmp.Or(made.Platform, oci.DefaultPlatform),
		"build_args": slices.Sorted(maps.Keys(b.cfg.BuildArgs)),
		"secrets":    slices.Sorted(maps.Keys(b.cfg.Secrets)),
	}
	if made.Target != "" {
		parameters["target"] = made.Target
	}
	built := &attest.Build{Kind: "use-docker", Parameters: parameters, Folder: made.Root, Started: started}
	for _, base := range result.Bases {
		built.Bases = append(built.Bases, attest.Base(base))
	}
	return built
}
