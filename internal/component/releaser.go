package component

import "context"

// Releaser gives a deployment the traffic.
//
// D is often not a concrete type but a small interface declared by the
// releaser, which every platform it can serve satisfies without importing it.
type Releaser[D Deployment, R Release] interface {
	// Plan says what Release would do. It sends no request that changes
	// anything.
	Plan(ctx context.Context, req ReleaseRequest[D]) (Plan, error)

	// Release moves traffic to the target. Releasing what is already released
	// changes nothing and succeeds.
	Release(ctx context.Context, req ReleaseRequest[D]) (R, error)

	// Destroy takes the release away. It is called once, for the newest
	// release, when the app leaves its workspace; never when old deployments
	// are pruned. What is already gone is no error, nor is what does not carry
	// the labels of app: it is left, for a record can be forged.
	Destroy(ctx context.Context, app App, r R) error
}

// ReleaseRequest is what a [Releaser] is given.
type ReleaseRequest[D Deployment] struct {
	Target  Target[D]
	Planned bool // in a plan of up: Target.Deployment is zero, for it does not exist yet

	// Percent is the share of the traffic, 1 to 100; the rest stays with what
	// serves now. Below 100 a releaser without weights returns
	// errors.ErrUnsupported, from Plan already. A first step is undone by
	// releasing the former target at 100, so that one must stay reachable
	// until the new one has it all.
	Percent int
}

// Release is what a releaser must remember, under the rules of [Deployment].
type Release interface {
	// URL returns where users reach the release, or "".
	URL() string
}
