// Package graph is a build as a graph of steps: what comes from where, which
// files are arranged, which commands run, and what each of them needs. It is
// BuildKit's low-level description (package solver/pb) with its edges resolved.
// Who made it, and who carries it out, it does not know.
package graph

import (
	"errors"
	"fmt"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// Graph is a build. Steps come after what they need.
type Graph struct {
	Steps  []*Step
	Result Edge // what the build is for
}

// Step is one operation.
type Step struct {
	Digest  string // of the operation, with those of all that it needs
	Op      *pb.Op
	Inputs  []Edge
	Name    string // as a log shows it, such as "[build 2/5] COPY go.mod ./"; may be ""
	Lines   []Range
	NoCache bool // its result must not be taken from a cache
}

// Edge is one output of a step. Without a step it is the empty file system.
type Edge struct {
	Step   *Step
	Output int
}

// Range is some lines of the Dockerfile, counted from 1, the last included.
type Range struct{ First, Last int }

// Parse resolves the edges of a definition.
func Parse(def *pb.Definition) (*Graph, error) {
	g, byDigest := &Graph{}, map[string]*Step{}
	for i, raw := range def.Def {
		s, err := parseStep(def, raw, byDigest)
		if err != nil {
			return nil, fmt.Errorf("reading build step %d of %d: %w", i+1, len(def.Def), err)
		}
		byDigest[s.Digest] = s
		g.Steps = append(g.Steps, s)
	}
	if len(g.Steps) == 0 {
		return g, nil
	}
	// The last step is no operation: it only names the result.
	last := g.Steps[len(g.Steps)-1]
	if len(last.Inputs) > 1 || last.Op.Op != nil {
		return nil, errors.New("reading build steps: the last one does not name the result")
	}
	if len(last.Inputs) == 1 {
		g.Result = last.Inputs[0]
	}
	g.Steps = g.Steps[:len(g.Steps)-1]
	return g, nil
}

func parseStep(def *pb.Definition, raw []byte, known map[string]*Step) (*Step, error) {
	s := &Step{Digest: digest.FromBytes(raw).String(), Op: &pb.Op{}}
	if err := s.Op.UnmarshalVT(raw); err != nil {
		return nil, err
	}
	for _, in := range s.Op.Inputs {
		from := known[in.Digest]
		if from == nil {
			return nil, fmt.Errorf("it needs %s, which does not come before it", in.Digest)
		}
		s.Inputs = append(s.Inputs, Edge{from, int(in.Index)})
	}
	if meta := def.Metadata[s.Digest]; meta != nil {
		s.Name, s.NoCache = meta.Description["llb.customname"], meta.IgnoreCache
	}
	for _, location := range def.GetSource().GetLocations()[s.Digest].GetLocations() {
		for _, r := range location.Ranges {
			s.Lines = append(s.Lines, Range{int(r.Start.Line), int(r.End.Line)})
		}
	}
	return s, nil
}
