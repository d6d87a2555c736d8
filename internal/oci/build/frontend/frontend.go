// Package frontend turns a Dockerfile into the steps of a build and the
// configuration of the image. It does so with BuildKit's own conversion, so
// that scopes, heredocs, ONBUILD, owners and stages are the reference's; no
// other package knows of it.
package frontend

import (
	"context"
	"fmt"
	"maps"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/deploy-action/deploy-action/internal/oci/build/graph"
)

// Context is the name of the source that COPY and ADD read from, as steps name
// it: "local://" and this.
const Context = "context"

// Request is a Dockerfile and what it is converted for.
type Request struct {
	Name    string // of the file, for messages
	Content []byte
	Args    map[string]string // values for ARG
	Labels  map[string]string // added to the image
	Target  string            // the stage; "" is the last
	NoCache bool

	// Platform is what the image is for, and Machine what this machine can
	// execute.
	Platform, Machine ocispecs.Platform

	// Resolve returns the digest of an image, which may be an index, and the
	// configuration of its part for a platform.
	Resolve func(ctx context.Context, image string, platform ocispecs.Platform) (digest string, config []byte, err error)
}

// Result is a converted Dockerfile.
type Result struct {
	Graph    *graph.Graph
	Image    dockerspec.DockerOCIImage // without the layers' digests and any time
	Warnings []Warning
}

// Warning is something that a Dockerfile's author may want to mend.
type Warning struct {
	Rule   string // such as "StageNameCasing"
	Detail string
	URL    string // of the rule's description
	Line   int    // 0 for the whole file
}

// Convert converts a Dockerfile. What its author can mend is a problem that
// names the line. Base images are asked for as they are needed, side by side.
func Convert(ctx context.Context, req Request) (Result, error) {
	if err := checkStart(req); err != nil {
		return Result{}, err
	}
	var (
		result Result
		caps   = pb.Caps.CapSet(pb.Caps.All())
		files  = llb.Local(Context)
		args   = map[string]string{}
	)
	maps.Copy(args, req.Args) // the conversion may change them
	converted, err := dockerfile2llb.Dockerfile2LLB(ctx, req.Content, dockerfile2llb.ConvertOpt{
		Config: dockerui.Config{
			BuildArgs: args, Labels: req.Labels, Target: req.Target,
			BuildPlatforms: []ocispecs.Platform{req.Machine},
		},
		MainContext:    &files,
		SourceMap:      llb.NewSourceMap(nil, req.Name, "Dockerfile", req.Content),
		TargetPlatform: &req.Platform,
		MetaResolver:   resolver{req},
		LLBCaps:        &caps,
		Warn: func(rule, _, url, detail string, location []parser.Range) {
			result.Warnings = append(result.Warnings, Warning{Rule: rule, Detail: detail, URL: url, Line: lineOf(location)})
		},
	})
	if err != nil {
		return Result{}, problem(req, err)
	}
	var constraints []llb.ConstraintsOpt
	constraints = append(constraints, llb.Platform(req.Platform))
	if req.NoCache || converted.IsIgnoreCache {
		constraints = append(constraints, llb.IgnoreCache)
	}
	definition, err := converted.State.Marshal(ctx, constraints...)
	if err != nil {
		return Result{}, problem(req, err)
	}
	result.Image = *converted.Image
	result.Graph, err = graph.Parse(definition.ToPB())
	return result, err
}

// resolver answers the conversion's questions about base images.
type resolver struct{ Request }

// ResolveImageConfig implements [llb.ImageMetaResolver].
func (r resolver) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	platform := r.Platform
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		platform = *opt.ImageOpt.Platform
	}
	text, config, err := r.Resolve(ctx, ref, platform)
	if err != nil {
		return "", "", nil, &resolveError{err}
	}
	parsed, err := digest.Parse(text)
	if err != nil {
		return "", "", nil, fmt.Errorf("reading the digest of %s: %w", ref, err)
	}
	return ref, parsed, config, nil
}

// resolveError marks what [Request.Resolve] said, which names the image already.
type resolveError struct{ error }

func (e *resolveError) Unwrap() error { return e.error }
