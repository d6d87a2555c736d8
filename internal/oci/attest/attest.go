// Package attest says of an image how it was made and what is in it, in the
// forms that other tools read: SLSA provenance in an in-toto statement, and a
// list of packages in SPDX. What it says goes into the image's layout, from
// where a push takes it along; the image itself does not change.
//
// Nothing is signed.
package attest

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/sbom"
	"github.com/deploy-action/deploy-action/internal/version"
)

// Request says what to attach to which image.
type Request struct {
	Layout *oci.Layout // that holds the image
	Client oci.Client  // reads layers that the layout has left in a registry
	Name   string      // of the repository that the image goes to, or of the image
	Digest string      // of the image, or of an index

	Images []string // digests of an index's images; nil where there is none

	Provenance *Build    // nil for none
	Packages   bool      // whether to list packages
	Finished   time.Time // when the image was
	Getenv     func(string) string
	Temp       string            // a folder for what must be looked at in a file
	Note       func(text string) // told what could not be read
}

// Attach replaces what the layout knows about an image. Whatever is not asked
// for is not known afterwards.
func Attach(ctx context.Context, req Request) error {
	attachments := map[string][]oci.Attachment{req.Digest: nil}
	for _, image := range req.Images {
		attachments[image] = nil
	}
	if req.Provenance != nil {
		a, err := req.Provenance.statement(sbom.Subject{Name: req.Name, Digest: req.Digest}, req.Finished, req.Getenv)
		if err != nil {
			return err
		}
		attachments[req.Digest] = append(attachments[req.Digest], a)
	}
	if req.Packages {
		images := req.Images
		if images == nil {
			images = []string{req.Digest}
		}
		for _, image := range images {
			a, err := req.packages(ctx, image)
			if err != nil {
				return err
			}
			attachments[image] = append(attachments[image], a)
		}
	}
	for digest, list := range attachments {
		if err := req.Layout.Attach(digest, list...); err != nil {
			return err
		}
	}
	return nil
}

// packages lists those of one image.
func (r Request) packages(ctx context.Context, digest string) (oci.Attachment, error) {
	image := artifact.Image{Layout: r.Layout.Dir(), Digest: digest}
	entries := func(ctx context.Context, visit func(int, *tar.Header, io.Reader) error) error {
		return r.Client.Entries(ctx, image, visit)
	}
	list, err := sbom.Scan(ctx, entries, r.Temp)
	if err != nil {
		return oci.Attachment{}, err
	}
	for _, note := range list.Notes {
		r.Note(fmt.Sprintf("The list of packages is not complete: %s", note))
	}
	document, err := list.Document(sbom.Subject{Name: r.Name, Digest: digest}, "deploy-action-"+version.String(), r.Finished)
	return oci.Attachment{Type: sbom.MediaType, Content: document}, err
}
