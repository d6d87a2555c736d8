package pack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// noneFits are the statuses by which the lifecycle says that no buildpack is for
// the app: of today's, and of those before version 0.9.
var noneFits = []int64{20, 21, 100, 101}

// explain ends the phase that runs with the outcome of the build, and makes of
// an error what the user should read.
func (b *builder) explain(ctx context.Context, e *engine, p *phases, err error) error {
	switch {
	case err == nil:
		p.end(nil)
		return nil
	case ctx.Err() != nil:
		p.end(context.Cause(ctx))
		return context.Cause(ctx)
	}
	if _, known := errors.AsType[*diag.Problem](err); known {
		p.end(err)
		return err
	}
	phase, said := p.end(err)
	switch {
	case phase == firstPhase && e.lastStatus() == 0:
		return b.unprepared(err)
	case slices.Contains(noneFits, e.lastStatus()):
		return b.undetected(p.tried(), said)
	}
	return &diag.Problem{
		Summary: "The buildpacks did not make an image",
		Detail:  fmt.Sprintf("The phase %q ended with an error (%v), and said last:\n%s", phase, err, said),
		Err:     err,
	}
}

// unprepared says that the build did not come so far that a container ran.
func (b *builder) unprepared(err error) error {
	detail := fmt.Sprintf("The builder is %q: %v. The builder must exist and so must the run image that it names, or the attribute "+
		"run_image; the Docker engine itself must reach their registry. If that wants a login, sign in with the action's input registry-auth, "+
		"or with docker login.", b.cfg.builder(), err)
	if b.cfg.PullPolicy == "never" {
		detail += " With pull_policy = \"never\" the engine must have them already."
	}
	return &diag.Problem{Summary: "The build with buildpacks cannot begin", Detail: detail, Attr: "builder", Err: err}
}

// undetected says that no buildpack is for the app.
func (b *builder) undetected(tried []string, said string) error {
	detail := "No group of buildpacks is for this app."
	if len(tried) > 0 {
		detail = fmt.Sprintf("No group of buildpacks is for this app; those of the builder %q that were tried said: %s.",
			b.cfg.builder(), strings.Join(tried, ", "))
	}
	detail += " The app's folder must have the files that they look for, such as package.json or go.mod, and none of them may be among the " +
		"patterns of ignore. Set path in the app where the source is in another folder, or name the buildpacks, or a builder that has others."
	if said != "" {
		detail += " The detection said last:\n" + said
	}
	return &diag.Problem{Summary: "No buildpack fits", Detail: detail, Attr: "builder"}
}
