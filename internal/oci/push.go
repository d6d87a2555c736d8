package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// PushRequest says what goes where.
type PushRequest struct {
	Image artifact.Image      // in a layout, or in a registry to copy it from
	To    artifact.Repository // where it goes
	Tag   string              // the name that it gets there

	// Where the registry has no list of what refers to an image, a tag may be
	// made for one: "sha256-" and the rest of the digest.
	ReferrersTag bool
}

// Push stores an image in a registry and returns it as it is known there. If
// the tag names the same content already, nothing is written; otherwise only
// those blobs travel that the registry lacks, several at a time. What is
// attached to an image of a layout, or refers to one in a registry, goes along.
// What a user can mend is a problem.
func (c Client) Push(ctx context.Context, req PushRequest) (artifact.Image, error) {
	tag, err := req.tag()
	if err != nil {
		return artifact.Image{}, err
	}
	content, pushed, err := c.content(ctx, req)
	if err != nil {
		return artifact.Image{}, err
	}
	sources, err := req.sources(content)
	if err != nil {
		return artifact.Image{}, err
	}
	target, err := c.target(req.To, sources)
	if err == nil {
		target.copies = req.Image.Layout == ""
		err = target.push(ctx, tag, content, pushed.Digest)
	}
	switch {
	case err != nil:
	case req.Image.Layout != "":
		err = target.attach(ctx, &Layout{dir: req.Image.Layout}, content, req.ReferrersTag)
	default:
		err = c.copyReferrers(ctx, *c.source(req), target, content, req.ReferrersTag)
	}
	if err != nil {
		return artifact.Image{}, fmt.Errorf("pushing %s: %w", tag, explain(err, tag.RegistryStr()))
	}
	return pushed, nil
}

// PushPlan is what [Client.Push] would do.
type PushPlan struct {
	Image   artifact.Image  // what Push would return
	Exists  bool            // the tag names this content already; nothing would be sent
	Replace string          // digest of what the tag names now; "" when it names nothing
	Missing []v1.Descriptor // blobs that would be sent, or mounted from the base's repository
}

// Summary tells what a push would do in one line.
func (p PushPlan) Summary() string {
	if p.Exists {
		return "the registry has " + p.Image.Digest
	}
	var size int64
	for _, blob := range p.Missing {
		size += blob.Size
	}
	text := fmt.Sprintf("%s; %s to upload", p.Image.Digest, count(len(p.Missing), size))
	if p.Replace != "" {
		text += ", in place of " + p.Replace
	}
	return text
}

// count says how much there is to upload.
func count(blobs int, size int64) string {
	switch blobs {
	case 0:
		return "no blobs"
	case 1:
		return fmt.Sprintf("1 blob (%.1f MB)", float64(size)/1e6)
	}
	return fmt.Sprintf("%d blobs (%.1f MB)", blobs, float64(size)/1e6)
}

// PlanPush says what [Client.Push] would do. It sends reads only.
func (c Client) PlanPush(ctx context.Context, req PushRequest) (PushPlan, error) {
	tag, err := req.tag()
	if err != nil {
		return PushPlan{}, err
	}
	content, planned, err := c.content(ctx, req)
	if err != nil {
		return PushPlan{}, err
	}
	plan := PushPlan{Image: planned}
	puller, err := remote.NewPuller(c.options(ctx, req.To, v1.Platform{})...)
	if err != nil {
		return PushPlan{}, fmt.Errorf("planning to push %s: %w", tag, err)
	}
	current, err := puller.Head(ctx, tag)
	switch {
	case err == nil && current.Digest.String() == planned.Digest:
		plan.Exists = true
		return plan, nil
	case err == nil:
		plan.Replace = current.Digest.String()
	case !notFound(err):
		return PushPlan{}, fmt.Errorf("planning to push %s: %w", tag, explain(err, tag.RegistryStr()))
	}
	plan.Missing, err = lacking(ctx, puller, tag.Context(), content)
	if err != nil {
		return PushPlan{}, fmt.Errorf("planning to push %s: %w", tag, explain(err, tag.RegistryStr()))
	}
	return plan, nil
}

func (r PushRequest) tag() (name.Tag, error) {
	repo, err := parseRepository(r.To)
	if err != nil {
		return name.Tag{}, err
	}
	if err := CheckTag(r.Tag); err != nil {
		return name.Tag{}, err
	}
	return repo.Tag(r.Tag), nil
}

// content opens what is pushed, and says how it will be known afterwards.
func (c Client) content(ctx context.Context, req PushRequest) (remote.Taggable, artifact.Image, error) {
	pushed := artifact.Image{Repository: req.To.Name, Tag: req.Tag, Architecture: req.Image.Architecture}
	if req.Image.Daemon {
		return nil, pushed, errors.New("reading image: it is in the Docker engine, and only a layout or a registry can be pushed from")
	}
	var (
		content remote.Taggable
		digest  v1.Hash
		err     error
	)
	if req.Image.Layout != "" {
		var found stored
		if found, err = c.stored(ctx, req.Image.Layout, req.Image.Digest, req.To); err == nil {
			content = found
			digest, err = found.Digest()
		}
	} else {
		var desc *remote.Descriptor
		if desc, err = c.describe(ctx, req.Image, c.source(req), v1.Platform{}); err == nil {
			content, digest = desc, desc.Digest
		}
		if err == nil && desc.MediaType.IsIndex() {
			content, err = desc.ImageIndex()
		} else if err == nil {
			content, err = desc.Image()
		}
	}
	if err != nil {
		return nil, pushed, err
	}
	pushed.Digest = digest.String()
	return content, pushed, nil
}

// source says how an image in a registry is read: with the login of the
// target, if it is the same registry.
func (c Client) source(req PushRequest) *artifact.Repository {
	from := artifact.Repository{Name: req.Image.Repository}
	if Host(from.Name) == Host(req.To.Name) {
		from.Insecure, from.Login = req.To.Insecure, req.To.Login
	}
	return &from
}

// sources lists the repositories that have layers of what is pushed. The first
// one has all of an image that is copied.
func (r PushRequest) sources(content remote.Taggable) ([]name.Repository, error) {
	if r.Image.Layout == "" {
		from, err := parseRepository(artifact.Repository{Name: r.Image.Repository})
		return []name.Repository{from}, err
	}
	images, err := imagesOf(content)
	if err != nil {
		return nil, err
	}
	var found []name.Repository
	for _, img := range images {
		layers, err := img.Layers()
		if err != nil {
			return nil, err
		}
		for _, layer := range layers {
			if elsewhere, ok := layer.(*remote.MountableLayer); ok && !slices.Contains(found, elsewhere.Reference.Context()) {
				found = append(found, elsewhere.Reference.Context())
			}
		}
	}
	return found, nil
}

// missing lists the blobs of img that the repository lacks.
func missing(ctx context.Context, puller *remote.Puller, repo name.Repository, img v1.Image) ([]v1.Descriptor, error) {
	manifest, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	var lacking []v1.Descriptor
	for _, desc := range append(manifest.Layers, manifest.Config) {
		layer, err := puller.Layer(ctx, repo.Digest(desc.Digest.String()))
		if err != nil {
			return nil, err
		}
		exists, err := partial.Exists(layer)
		if err != nil && !notFound(err) {
			return nil, err
		}
		if !exists {
			lacking = append(lacking, desc)
		}
	}
	return lacking, nil
}

// notFound reports whether a registry said that it does not have a thing. Some
// say that they may not tell, about a repository that does not exist yet.
func notFound(err error) bool {
	answer, ok := errors.AsType[*transport.Error](err)
	return ok && (answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusForbidden)
}
