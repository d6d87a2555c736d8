package solve

import (
	"context"
	"fmt"
	"os"

	"github.com/moby/buildkit/solver/pb"

	"github.com/deploy-action/deploy-action/internal/oci/build/fetch"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
)

// download begins with a file of the web.
func (s *solver) download(ctx context.Context, op *pb.SourceOp) (*snapshot, error) {
	return s.fetched(func(dir string) error {
		_, err := fetch.HTTP{Client: s.Client.HTTP}.Fetch(ctx, op.Identifier, op.Attrs, dir)
		return err
	})
}

// clone begins with the files of a git repository.
func (s *solver) clone(ctx context.Context, op *pb.SourceOp) (*snapshot, error) {
	return s.fetched(func(dir string) error {
		commit, err := fetch.Git{}.Resolve(ctx, op.Identifier, op.Attrs)
		if err != nil {
			return err
		}
		return fetch.Git{}.Checkout(ctx, op.Identifier, op.Attrs, commit, dir)
	})
}

// fetched makes a source of what get puts into a folder.
func (s *solver) fetched(get func(dir string) error) (*snapshot, error) {
	dir, err := os.MkdirTemp(s.Work, "fetched-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	if err := get(dir); err != nil {
		return nil, err
	}
	view, err := files.Folder(dir)
	if err != nil {
		return nil, err
	}
	return &snapshot{source: true, dir: dir, view: view}, nil
}
