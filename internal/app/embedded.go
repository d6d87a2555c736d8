package app

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// embed offers the embedded registry where there is no runner.
func (s *session) embed() {
	if s.machine.runner.Active() {
		return
	}
	server := sync.OnceValues(func() (*oci.Embedded, error) {
		e, err := oci.OpenEmbedded(filepath.Join(s.dataDir, "registry"))
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, e.Close)
		return e, e.Serve()
	})
	s.http = &http.Client{Transport: toEmbedded{open: server, next: s.http.Transport}}
	s.engine.Embedded = newEmbedded(server)
}

// toEmbedded opens the embedded registry at the first request to this machine,
// which may be for it, and lets it answer what is its own.
type toEmbedded struct {
	open func() (*oci.Embedded, error)
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t toEmbedded) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Hostname() != "127.0.0.1" {
		return t.next.RoundTrip(req)
	}
	server, err := t.open()
	if err != nil {
		return nil, err
	}
	return server.Transport(t.next).RoundTrip(req)
}

// embedded is the registry that stores images on a terminal where the file has
// no registry block.
type embedded struct {
	server *oci.Embedded
	client oci.Client
	host   component.Host
}

// newEmbedded declares the embedded registry for the engine. The registry is
// opened when the first app needs it.
func newEmbedded(open func() (*oci.Embedded, error)) *component.RegistrySpec {
	return component.NewRegistry(func(h component.Host, _ struct{}) (component.Registry[artifact.Image], error) {
		server, err := open()
		if err != nil {
			return nil, err
		}
		return &embedded{server: server, client: oci.Client{HTTP: h.HTTP}, host: h}, nil
	})
}

// Repository implements [component.Registry].
func (e *embedded) Repository(_ context.Context, app component.App) (*artifact.Repository, error) {
	name := component.Label(app.Project, 60) + "/" + component.Label(app.Name, 60)
	return &artifact.Repository{Name: e.server.Host() + "/" + name, Insecure: true}, nil
}

// Plan implements [component.Registry].
func (e *embedded) Plan(ctx context.Context, req component.PushRequest[artifact.Image]) (artifact.Image, component.Plan, error) {
	if !req.Artifact.Local() {
		return req.Artifact, component.Plan{}, nil
	}
	push, err := e.request(ctx, req)
	if err != nil {
		return artifact.Image{}, component.Plan{}, err
	}
	plan, err := e.client.PlanPush(ctx, push)
	if err != nil {
		return artifact.Image{}, component.Plan{}, err
	}
	change := component.Change{Action: component.Create, Subject: "image " + plan.Image.Reference(), Reason: "new content"}
	if plan.Exists {
		change.Action, change.Reason = component.Keep, "the embedded registry has it"
	}
	return plan.Image, component.Plan{Changes: []component.Change{change}}, nil
}

// Push implements [component.Registry].
func (e *embedded) Push(ctx context.Context, req component.PushRequest[artifact.Image]) (pushed artifact.Image, err error) {
	if !req.Artifact.Local() {
		return req.Artifact, nil // it is in a registry already
	}
	push, err := e.request(ctx, req)
	if err != nil {
		return artifact.Image{}, err
	}
	title := fmt.Sprintf("Pushing to the embedded registry, as %s:%s", push.To.Name, push.Tag)
	err = e.host.Progress.Step(ctx, title, func(ctx context.Context, _ component.Step) error {
		pushed, err = e.client.Push(ctx, push)
		return err
	})
	return pushed, err
}

// request names the image by its content, so that earlier ones stay.
func (e *embedded) request(ctx context.Context, req component.PushRequest[artifact.Image]) (oci.PushRequest, error) {
	to, err := e.Repository(ctx, req.App)
	if err != nil {
		return oci.PushRequest{}, err
	}
	_, hex, _ := strings.Cut(req.Artifact.Digest, ":")
	if len(hex) < 12 {
		return oci.PushRequest{}, fmt.Errorf("pushing %q: its digest is not known", req.Artifact.Reference())
	}
	return oci.PushRequest{Image: req.Artifact, To: *to, Tag: hex[:12]}, nil
}
