package buildkit

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	"github.com/tonistiigi/fsutil/types"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/deploy-action/deploy-action/internal/oci/build/files"
)

// dockerfileName is what the daemon calls the Dockerfile, wherever it is.
const dockerfileName = "Dockerfile"

// chunk is how much of a file travels in one message.
const chunk = 32 << 10

// fileSync sends folders to the daemon, under the names it knows them by.
type fileSync struct {
	folders map[string]files.View
	times   files.Times
}

func newFileSync(req Request) *fileSync {
	return &fileSync{times: req.Times, folders: map[string]files.View{
		"context": req.Context, "dockerfile": single{dockerfileName, req.Content},
	}}
}

// Register implements session.Attachable.
func (f *fileSync) Register(server *grpc.Server) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "moby.filesync.v1.FileSync", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName: "DiffCopy", ServerStreams: true, ClientStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error { return f.copy(stream) },
		}},
	}, f)
}

// copy describes all files of a folder, and sends the content of those that the
// daemon asks for.
func (f *fileSync) copy(stream grpc.ServerStream) error {
	asked, _ := metadata.FromIncomingContext(stream.Context()) // none is like an empty one
	name := strings.Join(asked.Get("dir-name"), "")
	view, ok := f.folders[name]
	if !ok {
		return status.Errorf(codes.NotFound, "there is no folder %q", name)
	}
	var only []string
	if len(asked.Get("followpaths")) == 0 {
		only = asked.Get("include-patterns")
	}
	s := &sender{view: view, times: f.times, only: only, stream: stream, packets: make(chan *types.Packet)}
	return s.run(stream.Context())
}

// sender sends one folder.
type sender struct {
	view   files.View
	times  files.Times
	only   []string // top-level files to send alone; none is all
	stream grpc.ServerStream

	packets chan *types.Packet // one goroutine may send

	mu    sync.Mutex
	names []string // of what was described so far: a file's number is its place
}

// run sends until the daemon has all that it wants.
func (s *sender) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	finished := make(chan struct{})
	group.Go(func() error {
		if err := s.describe(ctx, "."); err != nil {
			return err
		}
		return s.send(ctx, &types.Packet{Type: types.PACKET_STAT}) // the end of the list
	})
	group.Go(func() error {
		defer close(finished)
		return s.answer(ctx)
	})
	group.Go(func() error {
		for {
			select {
			case packet := <-s.packets:
				if err := s.stream.SendMsg(packet); err != nil {
					return err
				}
			case <-finished:
				return s.stream.SendMsg(&types.Packet{Type: types.PACKET_FIN})
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	})
	return group.Wait()
}

func (s *sender) send(ctx context.Context, packet *types.Packet) error {
	select {
	case s.packets <- packet:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// describe tells what is in a folder, parents first, in the order of names.
func (s *sender) describe(ctx context.Context, folder string) error {
	entries, err := s.view.ReadDir(ctx, folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !s.wanted(e.Name) {
			continue
		}
		s.mu.Lock()
		s.names = append(s.names, e.Name)
		s.mu.Unlock()
		if err := s.send(ctx, &types.Packet{Type: types.PACKET_STAT, Stat: s.stat(e)}); err != nil {
			return err
		}
		if e.Header.Typeflag != tar.TypeDir {
			continue
		}
		if err := s.describe(ctx, e.Name); err != nil {
			return err
		}
	}
	return nil
}

// wanted reports whether the daemon asked for a file. It asks for single files
// where it does not want all; what else it asks for is a hint.
func (s *sender) wanted(name string) bool {
	if len(s.only) == 0 {
		return true
	}
	for _, pattern := range s.only {
		if strings.ContainsAny(pattern, `*?[\`) || strings.Contains(pattern, "/") || path.Clean(pattern) == name {
			return true
		}
	}
	return false
}

// stat describes a file as the daemon wants it.
func (s *sender) stat(e files.Entry) *types.Stat {
	h := e.Header
	stat := &types.Stat{
		Path: e.Name, Mode: uint32(h.FileInfo().Mode()), Uid: uint32(h.Uid), Gid: uint32(h.Gid),
		ModTime: s.times.Fixed.UnixNano(), Linkname: h.Linkname,
	}
	if s.times.Keep {
		stat.ModTime = h.ModTime.UnixNano()
	}
	if h.Typeflag == tar.TypeReg {
		stat.Size = h.Size
	}
	return stat
}

// answer sends the files that the daemon asks for until it has no more wishes.
// It asks while the list is still on its way.
func (s *sender) answer(ctx context.Context) error {
	for {
		var packet types.Packet
		if err := s.stream.RecvMsg(&packet); err != nil {
			return err
		}
		switch packet.Type {
		case types.PACKET_FIN:
			return nil
		case types.PACKET_ERR:
			return fmt.Errorf("the daemon did not take the files: %s", packet.Data)
		case types.PACKET_REQ:
			name, err := s.name(packet.ID)
			if err == nil {
				err = s.content(ctx, packet.ID, name)
			}
			if err != nil {
				return err
			}
		}
	}
}

// name returns the file with a number.
func (s *sender) name(id uint32) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int(id) >= len(s.names) {
		return "", fmt.Errorf("the daemon asks for file %d, and there are %d", id, len(s.names))
	}
	return s.names[id], nil
}

// content sends one file.
func (s *sender) content(ctx context.Context, id uint32, name string) error {
	e, err := s.view.Lstat(ctx, name)
	if err != nil {
		return err
	}
	file, err := s.view.Open(ctx, e)
	if err != nil {
		return err
	}
	defer file.Close()
	for {
		data := make([]byte, min(chunk, e.Header.Size+1)) // a new one: the last may still be on its way
		n, err := io.ReadFull(file, data)
		if n > 0 {
			if err := s.send(ctx, &types.Packet{Type: types.PACKET_DATA, ID: id, Data: data[:n]}); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return s.send(ctx, &types.Packet{Type: types.PACKET_DATA, ID: id}) // its end
		}
		if err != nil {
			return err
		}
	}
}
