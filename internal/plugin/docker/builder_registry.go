package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// checkCompression checks the attributes for the compression of layers.
func checkCompression(c BuilderConfig) error {
	if !slices.Contains(oci.Compressions(), cmp.Or(c.Compression, "gzip")) {
		return &diag.Problem{
			Summary: "Unknown compression",
			Detail:  fmt.Sprintf("compression is %q. Write \"gzip\" or \"zstd\".", c.Compression),
			Attr:    "compression",
		}
	}
	if highest := oci.HighestLevel(c.Compression); c.Level < 0 || c.Level > highest {
		return &diag.Problem{
			Summary: "Invalid level",
			Detail: fmt.Sprintf("level is %d. The levels of %s go from 1, the fastest, to %d.",
				c.Level, cmp.Or(c.Compression, "gzip"), highest),
			Attr: "level",
		}
	}
	return nil
}

// prepare tells the layout how to compress, and lets it find layers where the
// image will be pushed. What it returns sends layers there while others are
// made; it is nil where nothing is pushed.
func (b *builder) prepare(layout *oci.Layout, to *artifact.Repository) (*oci.Ahead, error) {
	layout.Compress(b.cfg.Compression, b.cfg.Level)
	if to == nil {
		return nil, nil
	}
	client := oci.Client{HTTP: b.host.HTTP, Credentials: oci.Credentials{Getenv: b.host.Getenv, Environ: b.host.Environ, DockerConfig: b.host.DockerConfig}}
	if to.Tag != "" {
		layout.Ask(func(ctx context.Context) []oci.Layer {
			var all []oci.Layer
			for _, platform := range b.platforms() {
				// Where there is no such image yet, or it cannot be read, none is known.
				layers, _ := client.Layers(ctx, artifact.Image{Repository: to.Name, Tag: to.Tag}, *to, platform)
				all = append(all, layers...)
			}
			return all
		})
	}
	return client.Ahead(*to, layout)
}
