package plugintest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// address is the release.
type address struct {
	Address string `json:"address"`
}

func (a address) URL() string { return a.Address }

type simpleReleaser struct{ part }

func (r simpleReleaser) Plan(ctx context.Context, req component.ReleaseRequest[thing]) (component.Plan, error) {
	if r.defect == "plans with a write" {
		_, err := r.send(ctx, http.MethodPut, folder("route", req.Target.App)+"check", "")
		return component.Plan{}, err
	}
	if req.Percent < 100 && r.defect != "refuses a share late" {
		return component.Plan{}, errors.ErrUnsupported
	}
	return component.Plan{Changes: []component.Change{{Action: component.Update, Subject: "route"}}}, nil
}

func (r simpleReleaser) Release(ctx context.Context, req component.ReleaseRequest[thing]) (address, error) {
	if req.Percent < 100 {
		return address{}, errors.ErrUnsupported
	}
	route := folder("route", req.Target.App) + "main"
	if r.defect == "closes the road before it opens the next" {
		if _, err := r.send(ctx, http.MethodDelete, route, ""); err != nil {
			return address{}, err
		}
	}
	lines, err := r.send(ctx, http.MethodGet, route, "")
	if err != nil {
		return address{}, err
	}
	made := address{"https://" + component.Label(req.Target.App.Name, 63) + ".example.com"}
	if r.defect == "moves the address" {
		made.Address += "/" + req.Target.ID
	}
	if slices.Equal(lines, []string{route + " " + req.Target.ID + "\n"}) && r.defect != "releases what is released" {
		return made, nil
	}
	_, err = r.send(ctx, http.MethodPut, route, req.Target.ID)
	return made, err
}

func (r simpleReleaser) Destroy(ctx context.Context, app component.App, _ address) error {
	if r.defect == "keeps its release" {
		return nil
	}
	_, err := r.send(ctx, http.MethodDelete, folder("route", app)+"main", "")
	return err
}

type simpleBuilder struct{ part }

func (b simpleBuilder) Build(ctx context.Context, req component.BuildRequest) (artifact.Image, error) {
	if b.defect == "writes in a build" {
		if _, err := b.send(ctx, http.MethodPut, "/log", "built"); err != nil {
			return artifact.Image{}, err
		}
	}
	if _, err := b.send(ctx, http.MethodGet, "/base", ""); err != nil {
		if b.defect == "cleans up after the context ended" {
			_, _ = b.send(context.WithoutCancel(ctx), http.MethodGet, "/base", "")
		}
		return artifact.Image{}, err
	}
	image := artifact.Image{Repository: req.App.Name, Layout: "layout"}
	if b.defect == "builds something else each time" {
		image.Tag = rand.Text()
	}
	return image, nil
}

type simpleRegistry struct{ part }

// pushed returns what a push of the image makes.
func (g simpleRegistry) pushed(image artifact.Image) artifact.Image {
	image.Repository, image.Layout, image.Digest = "store.test/web", "", "sha256:00"
	return image
}

func (g simpleRegistry) Plan(_ context.Context, req component.PushRequest[artifact.Image]) (artifact.Image, component.Plan, error) {
	planned := g.pushed(req.Artifact)
	if g.defect == "plans another result" {
		planned.Digest = ""
	}
	return planned, component.Plan{Changes: []component.Change{{Action: component.Create, Subject: "image"}}}, nil
}

func (g simpleRegistry) Push(ctx context.Context, req component.PushRequest[artifact.Image]) (artifact.Image, error) {
	lines, err := g.send(ctx, http.MethodGet, "/images/web", "")
	if err != nil {
		return artifact.Image{}, err
	}
	if len(lines) > 0 && g.defect != "uploads what is there" {
		return g.pushed(req.Artifact), nil
	}
	_, err = g.send(ctx, http.MethodPut, "/images/web", "pushed")
	return g.pushed(req.Artifact), err
}

func (g simpleRegistry) Repository(context.Context, component.App) (*artifact.Repository, error) {
	if g.defect == "stores elsewhere" {
		return &artifact.Repository{Name: "elsewhere.test/web"}, nil
	}
	return &artifact.Repository{Name: "store.test/web"}, nil
}

type simpleSourcer struct{ part }

func (s simpleSourcer) Read(ctx context.Context, keys []component.Key) ([]component.Reading, error) {
	lease := "/lease"
	if _, err := s.send(ctx, http.MethodPut, lease, "open"); err != nil {
		return nil, err
	}
	var readings []component.Reading
	for _, key := range keys {
		lines, err := s.send(ctx, http.MethodGet, "/values/"+key.Params["key"], "")
		switch {
		case err != nil:
		case len(lines) == 0:
			err = errors.New("no such key")
		default:
			_, value, _ := strings.Cut(strings.TrimSpace(lines[0]), " ")
			readings = append(readings, component.Reading{Text: secret.Text(value)})
			continue
		}
		readings = append(readings, component.Reading{Err: err})
	}
	if s.defect == "answers in another order" {
		slices.Reverse(readings)
	}
	return readings, nil
}

func (s simpleSourcer) Close(ctx context.Context) error {
	if s.defect == "keeps its lease" {
		return nil
	}
	_, err := s.send(ctx, http.MethodDelete, "/lease", "")
	return err
}
