package docker

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci/attest"
	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// attest says in the layout how the image was made and what is in it, as far as
// that is asked for.
func (b *builder) attest(ctx context.Context, req component.BuildRequest, request build.Request, made built, started time.Time, notes io.Writer) error {
	name := component.Label(req.App.Name, 60)
	if req.Repository != nil {
		name = req.Repository.Name
	}
	asked := attest.Request{
		Layout: request.Layout, Client: request.Client, Name: name, Digest: made.Digest, Images: made.images,
		Packages: b.cfg.SBOM, Finished: time.Now(), Getenv: b.host.Getenv, Temp: b.host.TempDir,
		Note: func(text string) { fmt.Fprintln(notes, text) },
	}
	if b.cfg.Provenance {
		asked.Provenance = b.provenance(request, made, started)
	}
	return attest.Attach(ctx, asked)
}

// provenance says how an image was made. Of build arguments it has the names,
// since a value may be what nobody should see.
func (b *builder) provenance(request build.Request, made built, started time.Time) *attest.Build {
	below := func(path string) string {
		name, err := filepath.Rel(request.Root, path)
		if err != nil {
			return path
		}
		return filepath.ToSlash(name)
	}
	parameters := map[string]any{
		"dockerfile": below(request.Dockerfile),
		"context":    below(request.Context),
		"platforms":  b.platforms(),
		"build_args": slices.Sorted(maps.Keys(b.cfg.BuildArgs)),
		"secrets":    slices.Sorted(maps.Keys(b.cfg.Secrets)),
	}
	if request.Target != "" {
		parameters["target"] = request.Target
	}
	how := &attest.Build{Kind: "use-docker", Parameters: parameters, Folder: request.Root, Started: started}
	for _, base := range made.Bases {
		how.Bases = append(how.Bases, attest.Base(base))
	}
	return how
}
