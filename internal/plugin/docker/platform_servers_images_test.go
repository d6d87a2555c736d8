//go:build servers

package docker

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// basicAuth is the login of the registry in these tests.
type basicAuth struct{}

// Authorization implements [authn.Authenticator].
func (basicAuth) Authorization() (*authn.AuthConfig, error) {
	return &authn.AuthConfig{Username: "robot", Password: "token-of-robot"}, nil
}

// forget removes an image from the engine when the test has ended and its
// containers are gone.
func forget(t *testing.T, engine *servers.DockerEngine, named string) {
	t.Helper()
	t.Cleanup(func() {
		_, err := engine.Client.ImageRemove(context.WithoutCancel(t.Context()), named, client.ImageRemoveOptions{Force: true})
		if err != nil && !t.Failed() {
			t.Error(err)
		}
	})
}

// rebuild returns the base image with another configuration.
func rebuild(t *testing.T, engine *servers.DockerEngine, change func(v1.Config) v1.Config) v1.Image {
	t.Helper()
	saved, err := engine.Client.ImageSave(t.Context(), []string{servers.Busybox})
	if err != nil {
		t.Fatal(err)
	}
	defer saved.Close()
	archive, err := io.ReadAll(saved)
	if err != nil {
		t.Fatal(err)
	}
	base, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := base.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.Config(base, change(config.Config))
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// load puts an image into the engine.
func load(t *testing.T, engine *servers.DockerEngine, image v1.Image, named string) artifact.Image {
	t.Helper()
	tag, err := name.NewTag(named)
	if err != nil {
		t.Fatal(err)
	}
	forget(t, engine, named)
	archive := &bytes.Buffer{}
	if err := tarball.Write(tag, image, archive); err != nil {
		t.Fatal(err)
	}
	result, err := engine.Client.ImageLoad(t.Context(), archive)
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	if err := loaded(result); err != nil {
		t.Fatal(err)
	}
	return artifact.Image{Repository: tag.Repository.Name(), Tag: tag.TagStr(), Daemon: true}
}
