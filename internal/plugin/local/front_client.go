package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// frontWait is how long a front may take to do what its files say.
const frontWait = 10 * time.Second

// portTries is how many ports are tried for a new front.
const portTries = 5

// frontClient tells a front what to do, through files in its folder.
type frontClient struct{ daemon }

func frontOf(data string, app component.App) frontClient {
	return frontClient{daemon{filepath.Join(appDir(data, app), frontDir)}}
}

func (f frontClient) path(name string) string { return filepath.Join(f.dir, name) }

// card reads front.json. It returns [fs.ErrNotExist] where there is no front,
// and another error where it belongs to another app.
func (f frontClient) card(app component.App) (frontCard, error) {
	var card frontCard
	if err := readJSON(f.path(frontFile), &card); err != nil {
		return card, err
	}
	if card.owner != ownerOf(app) {
		return card, fmt.Errorf("reading %q: it belongs to app %q of project %q in workspace %q", f.dir, card.App, card.Project, card.Workspace)
	}
	return card, nil
}

// route returns where the front is told to send requests; nowhere without one.
func (f frontClient) route() (route, error) {
	var to route
	err := readJSON(f.path(routeFile), &to)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return to, err
}

// wanted is the card of the front as configuration asks for it, and the present
// one, if any. Its port is 0 where one has to be chosen.
func (f frontClient) wanted(app component.App, cfg ReleaserConfig) (want, have frontCard, err error) {
	have, err = f.card(app)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return want, have, err
	}
	want = frontCard{owner: ownerOf(app), Port: cfg.FrontPort, Protocol: cfg.Protocol}
	if want.Port == 0 {
		want.Port = have.Port
	}
	return want, have, nil
}

// ensure makes a front run as cfg asks for, and returns its card.
func (f frontClient) ensure(ctx context.Context, host component.Host, app component.App, cfg ReleaserConfig) (frontCard, error) {
	want, have, err := f.wanted(app, cfg)
	if err != nil {
		return want, err
	}
	pid, err := f.pid()
	if err != nil || pid != 0 && want == have {
		return want, err
	}
	// A port that others have is no reason to end a front that serves, nor to
	// remember that port.
	if free := want.Port == 0 || pid != 0 && want.Port == have.Port || portBecomesFree(ctx, want.Port); !free {
		return want, portTaken(want.Port)
	}
	if pid != 0 {
		if err := f.stop(ctx, frontGrace+supervisorGrace); err != nil {
			return want, err
		}
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return want, err
	}
	choose := want.Port == 0
	for try := 1; ; try++ {
		if choose {
			if want.Port, err = freePort(); err != nil {
				return want, err
			}
		}
		err := f.launch(ctx, host, want)
		_, taken := errors.AsType[*diag.Problem](err)
		if taken && try < portTries && (choose || portBecomesFree(ctx, want.Port)) {
			continue // somebody was quicker, or only looked
		}
		return want, err
	}
}

// launch starts the front and waits until it listens.
func (f frontClient) launch(ctx context.Context, host component.Host, card frontCard) error {
	if err := writeJSON(f.path(frontFile), card); err != nil {
		return err
	}
	if _, err := os.Stat(f.path(routeFile)); errors.Is(err, fs.ErrNotExist) {
		if err := writeJSON(f.path(routeFile), route{}); err != nil {
			return err
		}
	}
	// What an earlier front said must not be taken for this one's words.
	if err := os.Remove(f.path(stateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	startErr := f.start(ctx, host, verbFront)
	err := f.await(ctx, "listen", func(state frontState) (bool, error) {
		if state.PortTaken {
			return false, portTaken(card.Port)
		}
		if startErr != nil {
			return false, startErr
		}
		return state.Listening, nil
	})
	return err
}

func portTaken(port int) error {
	return &diag.Problem{
		Summary: fmt.Sprintf("Port %d is in use", port),
		Detail: fmt.Sprintf("The front of the app is to listen on port %d, but %s does. End that one, or set front_port to another port; 0 has a free one chosen where none was yet.",
			port, portUser(port)),
		Attr: "front_port",
	}
}

// await waits until the front has come so far. A front that is gone never will.
func (f frontClient) await(ctx context.Context, what string, done func(frontState) (bool, error)) error {
	limited, cancel := context.WithTimeoutCause(ctx, frontWait, fmt.Errorf("the front did not %s within %s", what, frontWait))
	defer cancel()
	return retry.Poll(limited, daemonPoll, func(context.Context) (bool, error) {
		pid, err := f.pid() // first, so that its last words are read below
		if err != nil {
			return false, err
		}
		var state frontState
		if err := readJSON(f.path(stateFile), &state); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		ok, err := done(state)
		if !ok && err == nil && pid == 0 {
			err = fmt.Errorf("the front ended: %s", f.lastWords())
		}
		return ok, err
	})
}

// turn makes the front send requests elsewhere, and returns when it does.
func (f frontClient) turn(ctx context.Context, to route) error {
	if err := writeJSON(f.path(routeFile), to); err != nil {
		return err
	}
	return f.await(ctx, "turn to "+to.String(), func(state frontState) (bool, error) { return state.Route == to, nil })
}

// drop keeps requests from a deployment, and waits up to grace for those in
// flight. Where no front lives there are none.
func (f frontClient) drop(ctx context.Context, deployment string, grace time.Duration) error {
	to, err := f.route()
	if err != nil {
		return err
	}
	pid, err := f.pid()
	if err != nil {
		return err
	}
	if to.Deployment == deployment {
		if err := writeJSON(f.path(routeFile), route{}); err != nil {
			return err
		}
	}
	if pid == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err = retry.Poll(limited, daemonPoll, func(context.Context) (bool, error) {
		var state frontState
		if err := readJSON(f.path(stateFile), &state); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		pid, err := f.pid()
		return pid == 0 || state.Listening && state.Route.Deployment != deployment && state.InFlight[deployment] == 0, err
	})
	if limited.Err() != nil && ctx.Err() == nil {
		return nil // they had their time
	}
	return err
}

// remove ends the front of app and removes its folder.
func (f frontClient) remove(ctx context.Context, app component.App) error {
	_, err := f.card(app)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.stop(ctx, frontGrace+supervisorGrace); err != nil {
		return err
	}
	return removeFolder(f.dir, frontFile)
}
