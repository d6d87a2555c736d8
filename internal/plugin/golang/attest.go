package golang

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
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
		request.Provenance = b.provenance(req.App.Path, result, started)
	}
	return attest.Attach(ctx, request)
}

// provenance says how an image was made. Of variables it has the names, since a
// value may be what nobody should see.
func (b *builder) provenance(folder string, result build.Result, started time.Time) *attest.Build {
	built := &attest.Build{
		Kind: "use-go", Folder: folder, Started: started,
		Parameters: map[string]any{
			"package":  cmp.Or(b.cfg.Package, "."),
			"platform": cmp.Or(b.cfg.Platform, oci.DefaultPlatform),
			"flags":    b.cfg.Flags,
			"env":      slices.Sorted(maps.Keys(b.cfg.Env)),
		},
	}
	for _, base := range result.Bases {
		built.Bases = append(built.Bases, attest.Base(base))
	}
	return built
}
