package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// placer puts things into a root where nothing can be mounted on it.
type placer struct {
	root  mounter // resolves and makes, and mounts nothing
	here  mounter // that of this container's /dev, which stays in its place
	hold  string  // folder for what was there
	holds []hold
}

// hold is one thing that was put into the root.
type hold struct {
	mount
	path   string   // of it
	there  string   // where that is now which was there before; "" for nothing
	secret *os.File // of a Secret, under whatever name it is later
}

// newPlacer places things into a root. Hold is a folder for what was there.
func newPlacer(root, hold string) *placer {
	return &placer{root: mounter{root: root}, here: mounter{root: "/"}, hold: hold}
}

// of returns the root that a command finds target in.
func (p *placer) of(target string) *mounter {
	if strings.HasPrefix(filepath.Clean(target), "/dev/") {
		return &p.here
	}
	return &p.root
}

// all puts every mount in its place.
func (p *placer) all(ctx context.Context, mounts []mount) error {
	for i, m := range mounts {
		if err := p.place(ctx, m, filepath.Join(p.hold, "there-"+strconv.Itoa(i))); err != nil {
			return fmt.Errorf("mounting %s: %w", m.Target, err)
		}
	}
	return nil
}

// place puts one mount in its place. What is there goes to the path there.
func (p *placer) place(ctx context.Context, m mount, there string) error {
	root := p.of(m.Target)
	path, err := root.resolve(m.Target)
	if err != nil {
		return err
	}
	if err := root.makeFolders(filepath.Dir(path)); err != nil {
		return err
	}
	err = move(path, there)
	if errors.Is(err, fs.ErrNotExist) {
		there, err = "", nil
	}
	if err != nil {
		return err
	}
	p.holds = append(p.holds, hold{mount: m, path: path, there: there})
	switch m.Kind {
	case Cache:
		return move(m.Source, path)
	case Bind:
		return copyTree(ctx, m.Source, path)
	case Secret:
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o400)
		if err != nil {
			return err
		}
		p.holds[len(p.holds)-1].secret = f
		_, err = f.WriteString(m.Secret.Content)
		return errors.Join(err, f.Chown(m.Secret.UID, m.Secret.GID), f.Chmod(os.FileMode(m.Secret.Mode)))
	default:
		return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o777|os.ModeSticky))
	}
}

// remove takes everything away again, last first, and what was made for it.
func (p *placer) remove() error {
	var errs []error
	for i := len(p.holds) - 1; i >= 0; i-- {
		h := p.holds[i]
		if h.secret != nil {
			errs = append(errs, h.secret.Truncate(0), h.secret.Close())
		}
		// The command can have put links on the way to it.
		if path, err := p.of(h.Target).resolve(h.Target); err != nil || path != h.path {
			errs = append(errs, fmt.Errorf("removing what was mounted at %s: the command moved it", h.Target))
			continue
		}
		if err := h.remove(); err != nil {
			errs = append(errs, fmt.Errorf("removing what was mounted at %s: %w", h.Target, err))
		}
	}
	for _, m := range []*mounter{&p.root, &p.here} {
		errs = append(errs, removeStubs(m.root, m.made))
	}
	return errors.Join(errs...)
}

func (h hold) remove() error {
	var err error
	switch _, statErr := os.Lstat(h.path); {
	case statErr != nil && h.Kind == Cache:
		err = os.MkdirAll(h.Source, 0o755) // the command removed it
	case h.Kind == Cache:
		err = move(h.path, h.Source)
	default:
		err = os.RemoveAll(h.path)
	}
	if h.there != "" {
		err = errors.Join(err, move(h.there, h.path))
	}
	return err
}
