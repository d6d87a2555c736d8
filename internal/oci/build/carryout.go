package build

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/cache"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/frontend"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/oci/build/solve"
)

// job is a Dockerfile that is ready to be carried out.
type job struct {
	req       Request
	name      string // of the Dockerfile
	converted frontend.Result
	source    *source
	images    *images
	cache     *cache.Cache // nil for none
}

// carryOut solves the graph with the results of earlier builds. If one of them
// proves unusable, it is forgotten and the graph is solved again.
func (j job) carryOut(ctx context.Context) (solve.Result, error) {
	for {
		solved, err := j.solve(ctx)
		broken, ok := errors.AsType[*cache.BrokenError](err)
		if !ok || !j.cache.Forget(broken.Key) {
			return solved, err
		}
		j.req.Note(fmt.Sprintf("A layer of the cache cannot be used and is made anew: %v", broken.Err))
	}
}

// openCache opens what earlier builds left; nil for nothing. Close ends both the
// cache and its folder's anchor.
func openCache(ctx context.Context, req Request) (*cache.Cache, io.Closer, error) {
	if req.Steps == "" && req.Remote == nil && req.GitHub == nil {
		return nil, io.NopCloser(nil), nil
	}
	dir, anchor, err := steadyFolder(sandbox.Home(), req.Steps)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the cache: %w", err)
	}
	options := cache.Options{Dir: dir, Lasting: req.Lasting, Client: req.Client, Actions: req.GitHub, Note: req.Note}
	if req.Remote != nil {
		options.Repository, options.Read, options.Write = &req.Remote.Repository, req.Remote.Read, req.Remote.Write
	}
	opened, err := cache.Open(ctx, options)
	if err != nil {
		anchor.Close()
		return nil, nil, err
	}
	return opened, closers{opened, anchor}, nil
}

// closers are closed one after the other.
type closers []io.Closer

// Close implements [io.Closer].
func (all closers) Close() error {
	var err error
	for _, c := range all {
		err = errors.Join(err, c.Close())
	}
	return err
}

// solve solves the graph once, in a folder of its own, which it leaves no trace
// of.
func (j job) solve(ctx context.Context) (_ solve.Result, err error) {
	req := j.req
	layout, anchor, err := steadyLayout(sandbox.Home(), req.Layout)
	if err != nil {
		return solve.Result{}, err
	}
	defer anchor.Close()
	work, err := makeWork(sandbox.Home(), req.Work)
	if err != nil {
		return solve.Result{}, err
	}
	defer func() {
		if left := rootfs.Remove(work); left != nil && err == nil {
			err = fmt.Errorf("removing the build's files: %w", left)
		}
	}()
	view := files.Context(j.source.root, j.source.ignore)
	defer func() {
		for _, name := range files.Skipped(view) {
			req.Note(skipped(name))
		}
	}()
	written := req.written
	if req.Ahead != nil {
		written = func(layer oci.Layer) { req.Ahead.Send(ctx, layer) }
	}
	options := sandboxOptions(work, req.Root, req.Rung, req.Hidden, req.Watched)
	options.Known = req.Fit.sandbox
	return solve.Solve(ctx, solve.Request{
		Graph: j.converted.Graph, File: j.name,
		Layout: layout, Client: req.Client, Image: j.images.base,
		Context: view, Cache: j.cache,
		Times: files.Times{Fixed: req.Time, Keep: req.KeepTimes},
		Work:  work, Caches: req.Caches, Secrets: req.Secrets,
		Sandbox:  options,
		Progress: req.Progress, Note: req.Note, Written: written,
	})
}
