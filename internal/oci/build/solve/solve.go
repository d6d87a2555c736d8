// Package solve carries out the graph of a build: each step once, and
// independent ones side by side. It plans files, runs commands and writes what
// they change as layers; where an image is only added to, its layers stay where
// they are, and what an earlier build made is taken from its cache. What a
// Dockerfile means is not its business.
package solve

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/cache"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/graph"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Request says what to carry out, and with what.
type Request struct {
	Graph *graph.Graph
	File  string // name of the Dockerfile, for messages

	Layout  *oci.Layout
	Client  oci.Client
	Image   func(ctx context.Context, name, platform string) (*oci.Base, error) // name has a digest
	Context files.View                                                          // what COPY reads
	Cache   *cache.Cache                                                        // what earlier builds made; nil for none

	Times   files.Times
	Work    string // an empty folder for roots, which the caller removes
	Caches  string // folder of cache mounts; builds share it
	Secrets map[string]secret.Text
	Sandbox sandbox.Options

	// Progress shows fn as one step. What it writes is the step's output.
	Progress func(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error
	Note     func(text string) // told once what commands run in

	// Written is called with each layer of the result as soon as it is there,
	// if there is work left. It may be called concurrently. Nil is for nobody.
	Written func(oci.Layer)
}

// Result is the file system that a graph describes.
type Result struct {
	Base   *oci.Base // nil for none
	Layers []oci.Layer
}

// solver carries out one graph.
type solver struct {
	Request
	group   *errgroup.Group // steps, and the layers that are written meanwhile
	writers chan struct{}   // one entry for each layer being compressed
	results map[*graph.Step]*result
	sandbox func() (*sandbox.Sandbox, error)
	anchor  io.Closer // of the folder of cache mounts, once the sandbox needs one

	wanted   map[*graph.Step]bool // steps whose layers are the result's
	pending  atomic.Int64         // steps and layers that are not done
	fetches  chan struct{}        // one entry for each layer that is being fetched
	recalled atomic.Int64         // steps whose result came from the cache

	mu sync.Mutex // guards the holds and roots of snapshots
}

// result is what a step made. It may be read once done is closed.
type result struct {
	done     chan struct{}
	snapshot *snapshot
	holds    int // how many inputs of other steps it is
}

// Solve carries a graph out. Of errors in steps that run side by side it
// returns the first, which ends the others. What a user can mend is a problem
// that names the line. A [cache.BrokenError] is for the caller to forget, and
// to try again in another folder.
func Solve(ctx context.Context, req Request) (Result, error) {
	group, inner := errgroup.WithContext(ctx)
	s := &solver{
		Request: req, group: group,
		writers: make(chan struct{}, runtime.GOMAXPROCS(0)),
		fetches: make(chan struct{}, fetches),
		results: map[*graph.Step]*result{},
		wanted:  map[*graph.Step]bool{},
	}
	s.pending.Store(int64(len(req.Graph.Steps)))
	if req.Written != nil {
		s.want(req.Graph.Result.Step)
	}
	s.sandbox = sync.OnceValues(func() (*sandbox.Sandbox, error) { return s.openSandbox(inner) })
	for _, step := range req.Graph.Steps {
		s.results[step] = &result{done: make(chan struct{})}
		for _, in := range step.Inputs {
			s.results[in.Step].holds++
		}
	}
	for _, step := range req.Graph.Steps {
		group.Go(func() error { return s.step(inner, step) })
	}
	err := group.Wait()
	if s.anchor != nil {
		s.anchor.Close()
	}
	if err != nil {
		if ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		return Result{}, err
	}
	last := req.Graph.Result.Step
	if last == nil {
		return Result{}, nil
	}
	s.tellRecalled()
	return s.collect(ctx, s.results[last].snapshot)
}

// collect gathers the layers of the graph's result, all of which are written or
// in a cache.
func (s *solver) collect(ctx context.Context, n *snapshot) (Result, error) {
	if n.source {
		return Result{}, fmt.Errorf("building: the result is a source of files and no image")
	}
	chain := n.chain()
	if err := s.settle(ctx, chain); err != nil {
		return Result{}, err
	}
	result := Result{Base: n.base}
	for _, l := range chain {
		result.Layers = append(result.Layers, l.written)
	}
	return result, nil
}

// step waits for what a step needs, and carries it out.
func (s *solver) step(ctx context.Context, step *graph.Step) error {
	var inputs []*snapshot
	for _, in := range step.Inputs {
		if in.Output != 0 {
			return fmt.Errorf("building: step %q reads output %d of another, and only the first is kept", step.Name, in.Output)
		}
		needed := s.results[in.Step]
		select {
		case <-needed.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		inputs = append(inputs, needed.snapshot)
	}
	made := s.results[step]
	carryOut := func(ctx context.Context, output io.Writer) error {
		var err error
		if made.snapshot, err = s.perform(ctx, step, inputs, output); err != nil {
			return s.locate(step, err)
		}
		return nil
	}
	var err error
	if step.Name == "" {
		err = carryOut(ctx, io.Discard)
	} else {
		err = s.Progress(ctx, step.Name, carryOut)
	}
	if err != nil {
		return err
	}
	made.snapshot.holds = made.holds + 1
	s.release(made.snapshot) // removes it at once if nothing reads it
	close(made.done)
	s.pending.Add(-1)
	if s.wanted[step] {
		s.tell(ctx, made.snapshot.layers)
	}
	return nil
}

// perform carries out one step. The holds on its inputs become the snapshot's,
// or are given up.
func (s *solver) perform(ctx context.Context, step *graph.Step, inputs []*snapshot, output io.Writer) (*snapshot, error) {
	op := step.Op
	switch {
	case op.GetSource() != nil:
		return s.openSource(ctx, step, op.GetSource())
	case op.GetMerge() != nil:
		return s.merge(op.GetMerge(), inputs)
	case op.GetFile() != nil, op.GetExec() != nil:
		return s.make(ctx, step, inputs, output)
	case op.GetDiff() != nil:
		return nil, refused("The difference of two stages", "Dockerfiles of another syntax")
	}
	return nil, fmt.Errorf("building: there is no way to do %T", op.Op)
}

// make makes the layer of a step, unless an earlier build did.
func (s *solver) make(ctx context.Context, step *graph.Step, inputs []*snapshot, output io.Writer) (*snapshot, error) {
	key := s.keyOf(ctx, step, inputs)
	if found := s.recall(ctx, step, key, inputs, output); found != nil {
		return found, nil
	}
	var (
		made *snapshot
		err  error
	)
	if op := step.Op.GetFile(); op != nil {
		made, err = s.arrange(ctx, op, inputs)
	} else {
		made, err = s.execute(ctx, step, step.Op.GetExec(), inputs, output)
	}
	if err == nil && key != "" {
		s.remember(ctx, key, made.layers[0])
	}
	return made, err
}
