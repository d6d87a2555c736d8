package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Everything lies in DATA/PROJECT/WORKSPACE/APP, in one folder for each
// deployment and one for the front:
//
//	web-k2x7…/
//	  deployment.json  whose it is; written before anything else
//	  rootfs/          the image's files
//	  spec.json        what to run; the only place with environment values
//	  state.json       what the supervisor says
//	  app.log          output and events; app.log.1 is older
//	  lock             held by the supervisor while it lives
//	  stop             tells a supervisor that starts late to end at once
//	  helper.log       what the supervisor itself could not help printing
//	_front/            the same, for the front: front.json, route.json, …
const (
	cardFile  = "deployment.json"
	rootDir   = "rootfs"
	specFile  = "spec.json"
	stateFile = "state.json"
	logName   = "app.log"

	frontDir  = "_front" // no deployment's: DNS labels have no underscore
	frontFile = "front.json"
	routeFile = "route.json"

	newPrefix = ".new-" // a folder without its card yet
)

// appDir returns the folder of app in its workspace.
func appDir(data string, app component.App) string {
	return filepath.Join(data, pathName(app.Project), pathName(app.Workspace), pathName(app.Name))
}

// pathName makes one path element of name; different names stay different.
func pathName(name string) string {
	escaped := url.PathEscape(name)
	if escaped == "" {
		return "%" // escaping makes this of no name
	}
	if rest, dotted := strings.CutPrefix(escaped, "."); dotted {
		return "%2E" + rest
	}
	return escaped
}

// owner says whose a folder is. Nothing is changed or removed in a folder of
// another owner.
type owner struct {
	Project   string `json:"project"`
	App       string `json:"app"`
	Workspace string `json:"workspace"`
}

func ownerOf(app component.App) owner { return owner{app.Project, app.Name, app.Workspace} }

// card is deployment.json: whose a deployment is and how to reach it.
type card struct {
	owner
	Deployment  string        `json:"deployment"`
	Sequence    int           `json:"sequence"`
	Created     time.Time     `json:"created"`
	Image       string        `json:"image"` // see contentOf
	Port        int           `json:"port"`
	Protocol    string        `json:"protocol"`
	HealthPath  string        `json:"health_path,omitempty"`
	StopTimeout time.Duration `json:"stop_timeout"`
	Mark        string        `json:"mark"` // in the environment of its processes; see envMark

	// Served is set once the deployment was healthy. Only then is a process
	// that ends started again.
	Served bool `json:"served,omitempty"`
}

func (c card) deployment() Deployment {
	return Deployment{ID: c.Deployment, Port: c.Port, Protocol: c.Protocol}
}

// home is the folder of one deployment.
type home struct{ dir string }

// supervisor returns the daemon that runs the deployment.
func (h home) supervisor() daemon { return daemon(h) }

func (h home) path(name string) string { return filepath.Join(h.dir, name) }

// homeOf returns the folder that deployment id of app has, or would have.
func homeOf(data string, app component.App, id string) home {
	return home{filepath.Join(appDir(data, app), pathName(id))}
}

// card reads deployment.json. It returns [fs.ErrNotExist] where there is no
// such deployment, and another error where it belongs to another app.
func (h home) card(app component.App) (card, error) {
	var c card
	if err := readJSON(h.path(cardFile), &c); err != nil {
		return c, err
	}
	if c.owner != ownerOf(app) {
		return c, fmt.Errorf("reading %q: it belongs to app %q of project %q in workspace %q", h.dir, c.App, c.Project, c.Workspace)
	}
	return c, nil
}

// saveCard writes deployment.json.
func (h home) saveCard(c card) error { return writeJSON(h.path(cardFile), c) }

// create makes the folder with its card in it, both or nothing.
func (h home) create(c card) error {
	parent := filepath.Dir(h.dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temp := filepath.Join(parent, newPrefix+filepath.Base(h.dir))
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	if err := (home{temp}).saveCard(c); err != nil {
		return err
	}
	return os.Rename(temp, h.dir)
}

// removeFolder deletes a folder, the file that says whose it is last: what a
// cut removal leaves is found again. What is gone is no error. Files go in the
// order of their names, the lock before the marker; see [daemon.become].
func removeFolder(dir, last string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == last {
			continue
		}
		if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// removeEmpty removes the folder of an app, with what cut attempts left in it
// and the folders around it, as far as nothing else is in them.
func removeEmpty(appDir string) error {
	entries, err := os.ReadDir(appDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(appDir, entry.Name())
		if strings.HasPrefix(entry.Name(), newPrefix) {
			if err := removeTree(path); err != nil {
				return err
			}
			continue
		}
		_ = os.Remove(path) // what has content stays
	}
	for dir, levels := appDir, 3; levels > 0; dir, levels = filepath.Dir(dir), levels-1 {
		if os.Remove(dir) != nil {
			break // used by others
		}
	}
	return nil
}

// removeTree is [os.RemoveAll] that also gets into folders without write
// permission, which images of ordinary users may hold.
func removeTree(path string) error {
	if err := os.RemoveAll(path); err == nil {
		return nil
	}
	// What cannot be opened up is reported by the second attempt.
	_ = filepath.WalkDir(path, func(path string, entry fs.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

// readJSON reads the file at path into value.
func readJSON(path string, value any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, value); err != nil {
		return fmt.Errorf("reading %q: %w", path, err)
	}
	return nil
}

// writeJSON replaces the file at path at once, so that a reader never sees
// half of it. Only this user can read it.
func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(append(data, '\n'))
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		// The file that was there before stays as it was.
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
