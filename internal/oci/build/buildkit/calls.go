package buildkit

import (
	"context"
	"errors"
	"io"

	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/secrets"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// fileSend takes the archive of the finished image.
type fileSend struct{ to io.Writer }

// Register implements session.Attachable.
func (f *fileSend) Register(server *grpc.Server) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "moby.filesync.v1.FileSend", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName: "DiffCopy", ServerStreams: true, ClientStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error { return f.receive(stream) },
		}},
	}, f)
}

func (f *fileSend) receive(stream grpc.ServerStream) error {
	for {
		var message controlapi.BytesMessage
		err := stream.RecvMsg(&message)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := f.to.Write(message.Data); err != nil {
			return err
		}
	}
}

// logins answers the daemon's questions for credentials of registries.
type logins struct {
	auth.UnimplementedAuthServer
	credentials oci.Credentials
}

// Register implements session.Attachable.
func (l logins) Register(server *grpc.Server) { auth.RegisterAuthServer(server, l) }

// Credentials implements [auth.AuthServer].
func (l logins) Credentials(ctx context.Context, req *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	host := req.Host
	if host == "registry-1.docker.io" {
		host = oci.Host("docker.io/library/scratch") // where logins of Docker Hub are kept
	}
	login, err := l.credentials.Lookup(ctx, host)
	switch {
	case err != nil:
		return nil, err
	case login.IdentityToken != "":
		return &auth.CredentialsResponse{Secret: login.IdentityToken.Reveal()}, nil
	}
	return &auth.CredentialsResponse{Username: login.Username, Secret: login.Password.Reveal()}, nil
}

// secretStore answers the daemon's questions for the secrets of RUN.
type secretStore struct{ texts map[string]secret.Text }

// Register implements session.Attachable.
func (s secretStore) Register(server *grpc.Server) { secrets.RegisterSecretsServer(server, s) }

// GetSecret implements [secrets.SecretsServer].
func (s secretStore) GetSecret(_ context.Context, req *secrets.GetSecretRequest) (*secrets.GetSecretResponse, error) {
	text, ok := s.texts[req.ID]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "there is no secret %q", req.ID)
	}
	return &secrets.GetSecretResponse{Data: []byte(text.Reveal())}, nil
}
