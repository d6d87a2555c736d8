package component

import (
	"context"
	"fmt"
	"iter"
	"reflect"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// The erased types put a typed component behind its erased interface. Where
// [Chain] knew both types their conversions cannot fail; otherwise they fail
// with an error. A zero result becomes nil on the way out.
type (
	erasedBuilder[A artifact.Artifact]                struct{ b Builder[A] }
	erasedRegistry[A artifact.Artifact]               struct{ g Registry[A] }
	erasedPlatform[A artifact.Artifact, D Deployment] struct{ p Platform[A, D] }
	erasedReleaser[D Deployment, R Release]           struct{ r Releaser[D, R] }
)

func (e erasedBuilder[A]) Build(ctx context.Context, req BuildRequest) (artifact.Artifact, error) {
	a, err := e.b.Build(ctx, req)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (e erasedRegistry[A]) Plan(ctx context.Context, req PushRequest[artifact.Artifact]) (artifact.Artifact, Plan, error) {
	a, err := narrow[A](req.Artifact)
	if err != nil {
		return nil, Plan{}, err
	}
	pushed, plan, err := e.g.Plan(ctx, PushRequest[A]{req.App, a})
	if err != nil {
		return nil, Plan{}, err
	}
	return pushed, plan, nil
}

func (e erasedRegistry[A]) Push(ctx context.Context, req PushRequest[artifact.Artifact]) (artifact.Artifact, error) {
	a, err := narrow[A](req.Artifact)
	if err != nil {
		return nil, err
	}
	pushed, err := e.g.Push(ctx, PushRequest[A]{req.App, a})
	if err != nil {
		return nil, err
	}
	return pushed, nil
}

func (e erasedRegistry[A]) Repository(ctx context.Context, app App) (*artifact.Repository, error) {
	return e.g.Repository(ctx, app)
}

func (e erasedPlatform[A, D]) Plan(ctx context.Context, req DeployRequest[artifact.Artifact]) (Plan, error) {
	a, err := narrow[A](req.Artifact)
	if err != nil {
		return Plan{}, err
	}
	return e.p.Plan(ctx, DeployRequest[A]{a, req.DeployInput})
}

func (e erasedPlatform[A, D]) Deploy(ctx context.Context, req DeployRequest[artifact.Artifact]) (Deployment, error) {
	a, err := narrow[A](req.Artifact)
	if err != nil {
		return nil, err
	}
	return widen[D, Deployment](e.p.Deploy(ctx, DeployRequest[A]{a, req.DeployInput}))
}

func (e erasedPlatform[A, D]) Find(ctx context.Context, app App) ([]Target[Deployment], error) {
	found, err := e.p.Find(ctx, app)
	targets := make([]Target[Deployment], len(found))
	for i, t := range found {
		d, _ := widen[D, Deployment](t.Deployment, nil)
		targets[i] = Target[Deployment]{t.App, t.ID, t.Sequence, d}
	}
	return targets, err
}

func (e erasedPlatform[A, D]) Restore(ctx context.Context, req RestoreRequest[Deployment]) (Deployment, error) {
	from, err := narrowTarget[D](req.From)
	if err != nil {
		return nil, err
	}
	return widen[D, Deployment](e.p.Restore(ctx, RestoreRequest[D]{req.DeployInput, from}))
}

func (e erasedPlatform[A, D]) Status(ctx context.Context, t Target[Deployment]) (Health, error) {
	typed, err := narrowTarget[D](t)
	if err != nil {
		return Health{}, err
	}
	return e.p.Status(ctx, typed)
}

func (e erasedPlatform[A, D]) Logs(ctx context.Context, t Target[Deployment], req LogRequest) iter.Seq2[LogLine, error] {
	typed, err := narrowTarget[D](t)
	if err != nil {
		return FailedLogs(err)
	}
	return e.p.Logs(ctx, typed, req)
}

func (e erasedPlatform[A, D]) Exec(ctx context.Context, t Target[Deployment], req ExecRequest) (int, error) {
	typed, err := narrowTarget[D](t)
	if err != nil {
		return 0, err
	}
	return e.p.Exec(ctx, typed, req)
}

func (e erasedPlatform[A, D]) Destroy(ctx context.Context, t Target[Deployment]) error {
	typed, err := narrowTarget[D](t)
	if err != nil {
		return err
	}
	return e.p.Destroy(ctx, typed)
}

func (e erasedPlatform[A, D]) DestroyShared(ctx context.Context, app App) error {
	return e.p.DestroyShared(ctx, app)
}

func (e erasedReleaser[D, R]) Plan(ctx context.Context, req ReleaseRequest[Deployment]) (Plan, error) {
	typed, err := narrowRelease[D](req)
	if err != nil {
		return Plan{}, err
	}
	return e.r.Plan(ctx, typed)
}

func (e erasedReleaser[D, R]) Release(ctx context.Context, req ReleaseRequest[Deployment]) (Release, error) {
	typed, err := narrowRelease[D](req)
	if err != nil {
		return nil, err
	}
	return widen[R, Release](e.r.Release(ctx, typed))
}

func (e erasedReleaser[D, R]) Destroy(ctx context.Context, app App, r Release) error {
	typed, err := narrow[R](r)
	if err != nil {
		return err
	}
	return e.r.Destroy(ctx, app, typed)
}

// narrow gives a value the type that a component takes. Nil is the zero value;
// a value of another type is an error.
func narrow[T any](value any) (T, error) {
	var zero T
	if value == nil {
		return zero, nil
	}
	typed, ok := value.(T)
	if !ok {
		return zero, fmt.Errorf("a value of %T does not fit %T: the record was made by another plugin", value, zero)
	}
	return typed, nil
}

func narrowTarget[D Deployment](t Target[Deployment]) (Target[D], error) {
	d, err := narrow[D](t.Deployment)
	return Target[D]{t.App, t.ID, t.Sequence, d}, err
}

func narrowRelease[D Deployment](req ReleaseRequest[Deployment]) (ReleaseRequest[D], error) {
	target, err := narrowTarget[D](req.Target)
	return ReleaseRequest[D]{target, req.Planned, req.Percent}, err
}

// widen erases what a component returned. A zero value becomes nil.
func widen[T, W any](value T, err error) (W, error) {
	var none W
	if reflect.ValueOf(&value).Elem().IsZero() {
		return none, err
	}
	return any(value).(W), err
}
