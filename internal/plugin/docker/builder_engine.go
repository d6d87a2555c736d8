package docker

import (
	"context"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/oci/build/buildkit"
	"github.com/deploy-action/deploy-action/internal/oci/build/sibling"
)

// engines are the values of the attribute engine; "" is auto.
var engines = []string{"", "auto", "builtin", "docker", "buildkit", "sibling"}

// checkEngine checks the attribute engine and what its value needs.
func (b *builder) checkEngine() error {
	name := b.cfg.Engine
	switch {
	case !slices.Contains(engines, name):
		return &diag.Problem{
			Summary: "Unknown engine",
			Detail: fmt.Sprintf("There is no engine %q. Write \"auto\", \"builtin\", \"docker\", \"buildkit\" or \"sibling\".%s",
				name, diag.Suggest(name, engines[1:])),
			Attr: "engine",
		}
	case name != "buildkit":
		return nil
	case b.host.Getenv("BUILDKIT_HOST") == "":
		return &diag.Problem{
			Summary: "No address of BuildKit",
			Detail: "The engine \"buildkit\" is a daemon whose address is in the variable BUILDKIT_HOST, such as \"tcp://buildkit.example.com:1234\". " +
				"It is not set. Set it, or choose another engine.",
			Attr: "engine",
		}
	}
	_, err := b.remote()
	return err
}

// choice is who builds, and why.
type choice struct {
	daemon  *buildkit.Daemon   // nil for the built-in engine
	sibling *sibling.Container // where that builds; nil for here
	fit     build.Fit          // of the built-in engine, where that was asked
	reason  string             // for the log; "" where the configuration says it
	close   func()
}

// choose finds who carries out a request.
func (b *builder) choose(ctx context.Context, req build.Request) (choice, error) {
	switch b.cfg.Engine {
	case "builtin":
		return builtIn(""), nil
	case "docker":
		found, err := b.docker(ctx)
		return found, insteadAt("engine", err) // this block has no client_config
	case "buildkit":
		return b.remote()
	case "sibling":
		return b.beside(ctx)
	}
	return b.best(ctx, req)
}

// best decides where the configuration leaves it open. A daemon is asked only
// where commands would otherwise run beside this program, which has a way to
// the daemon that they should not have.
func (b *builder) best(ctx context.Context, req build.Request) (choice, error) {
	other := b.other(ctx)
	if other.daemon == nil {
		return builtIn("neither BUILDKIT_HOST nor a Docker engine is there"), nil
	}
	fit, err := build.Suits(ctx, req)
	if err != nil || fit.Best {
		other.close()
		found := builtIn(fit.Why)
		found.fit = fit
		return found, err
	}
	other.reason += ", since " + fit.Why
	return other, nil
}

// other returns the daemon to fall back on, if there is one.
func (b *builder) other(ctx context.Context) choice {
	if b.host.Getenv("BUILDKIT_HOST") != "" {
		if found, err := b.remote(); err == nil {
			return found
		}
	}
	// An engine that does not answer is none.
	found, err := b.docker(ctx)
	if err != nil {
		return builtIn("")
	}
	return found
}

func builtIn(why string) choice {
	reason := ""
	if why != "" {
		reason = "The built-in engine builds: " + why
	}
	return choice{reason: reason, close: func() {}}
}

// docker returns the BuildKit of the Docker engine.
func (b *builder) docker(ctx context.Context) (choice, error) {
	engine, err := openEngine(b.host.Getenv, ClientConfig{})
	if err != nil {
		return choice{}, err
	}
	done := func() { _ = engine.Close() } // nothing is under way
	if err := engine.connect(ctx); err != nil {
		done()
		return choice{}, err
	}
	reason := fmt.Sprintf("The Docker engine at %q builds", engine.address)
	return choice{daemon: buildkit.InDocker(engine.Client), reason: reason, close: done}, nil
}

// beside returns the built-in engine in another container of this program's
// image.
func (b *builder) beside(ctx context.Context) (choice, error) {
	found, err := sibling.Open(ctx, b.host.Getenv)
	if err != nil {
		return choice{}, err
	}
	done := func() { _ = found.Close() } // nothing is under way
	return choice{sibling: found, close: done}, nil
}

// remote returns the daemon that BUILDKIT_HOST names.
func (b *builder) remote() (choice, error) {
	daemon, err := buildkit.At(b.host.Getenv("BUILDKIT_HOST"), b.host.Getenv("BUILDKIT_TLS_DIR"))
	return choice{daemon: daemon, reason: "The BuildKit that BUILDKIT_HOST names builds", close: func() {}}, err
}
