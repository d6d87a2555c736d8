package solve

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/moby/buildkit/solver/pb"

	"github.com/deploy-action/deploy-action/internal/oci/build/failure"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/graph"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// execute runs a command in a root and keeps what it changed as a layer. The
// next step goes on as soon as that is copied out of the root.
func (s *solver) execute(ctx context.Context, step *graph.Step, op *pb.ExecOp, inputs []*snapshot, output io.Writer) (*snapshot, error) {
	if err := refuse(step, op); err != nil {
		return nil, err
	}
	box, err := s.sandbox()
	if err != nil {
		return nil, err
	}
	parent := nothing()
	if i := op.Mounts[0].Input; i >= 0 {
		parent = inputs[i]
	}
	extra, err := s.prepare(ctx, op, inputs, box.Rung())
	if err != nil {
		return nil, err
	}
	defer extra.close()
	dir, before, err := s.take(ctx, parent)
	if err != nil {
		return nil, err
	}
	look := func() (err error) {
		if before == nil {
			before, err = scan(ctx, &rootfs.State{}, dir, box.Rung())
		}
		return err
	}
	last := &failure.Tail{}
	err = box.Run(ctx, sandbox.Command{
		Root: dir, Args: op.Meta.Args, Env: slices.Concat(op.Meta.Env, proxies(op.Meta.ProxyEnv), extra.env),
		Dir: op.Meta.Cwd, User: op.Meta.User, Hostname: op.Meta.Hostname, Hosts: hosts(op.Meta.ExtraHosts),
		Mounts: extra.mounts, Output: io.MultiWriter(output, last), Ready: look,
	})
	if err != nil {
		return nil, failed(ctx, step, err, last)
	}
	n := &snapshot{parent: parent, base: parent.base, dir: dir}
	if n.state, err = scan(ctx, before, dir, box.Rung()); err != nil {
		return nil, err
	}
	layer, err := s.spool(ctx, dir, before, n.state)
	if err != nil {
		return nil, err
	}
	n.layers = append(n.layers, layer)
	s.release(inputs...)
	return n, nil
}

// scan looks at a root between commands, whose state before is known or empty.
func scan(ctx context.Context, before *rootfs.State, dir string, rung sandbox.Rung) (*rootfs.State, error) {
	if rung == sandbox.Swap {
		return before.Rescan(ctx, dir, ".", "etc") // what is directly in them is renamed for each command
	}
	return before.Rescan(ctx, dir)
}

// spool copies what changed in a root, so that the root may change again while
// the layer is compressed.
func (s *solver) spool(ctx context.Context, dir string, before, after *rootfs.State) (*layer, error) {
	file, err := os.CreateTemp(s.Work, "layer-")
	if err != nil {
		return nil, fmt.Errorf("copying what a command changed: %w", err)
	}
	buffer := bufio.NewWriterSize(file, copyBuffer)
	content := sha256.New()
	archive := tar.NewWriter(io.MultiWriter(buffer, content))
	_, err = rootfs.WriteDiff(ctx, archive, dir, before, after, s.Times)
	if err == nil {
		err = archive.Close()
	}
	if err == nil {
		err = buffer.Flush()
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("copying what a command changed: %w", err)
	}
	remove := func() {
		file.Close()
		_ = os.Remove(file.Name()) // what stays is removed with the folder it is in
	}
	write := func(ctx context.Context, archive *tar.Writer) error {
		return files.CopyArchive(ctx, archive, bufio.NewReaderSize(io.NewSectionReader(file, 0, 1<<62), copyBuffer))
	}
	// What CopyArchive makes of an archive of ours has the same bytes.
	return s.begin(ctx, &layer{write: write, done: make(chan struct{}), early: hashOf(content)}, remove), nil
}

// copyBuffer is how much of an archive is held in memory.
const copyBuffer = 256 << 10

// proxies are the variables that a build was given to reach the network with.
// They are in no image.
func proxies(p *pb.ProxyEnv) []string {
	var env []string
	for _, v := range []struct{ lower, upper, value string }{
		{"http_proxy", "HTTP_PROXY", p.GetHttpProxy()},
		{"https_proxy", "HTTPS_PROXY", p.GetHttpsProxy()},
		{"ftp_proxy", "FTP_PROXY", p.GetFtpProxy()},
		{"no_proxy", "NO_PROXY", p.GetNoProxy()},
		{"all_proxy", "ALL_PROXY", p.GetAllProxy()},
	} {
		if v.value != "" {
			env = append(env, v.lower+"="+v.value, v.upper+"="+v.value)
		}
	}
	return env
}

func hosts(extra []*pb.HostIP) []sandbox.Host {
	var all []sandbox.Host
	for _, h := range extra {
		all = append(all, sandbox.Host{Name: h.Host, IP: h.IP})
	}
	return all
}
