package sandbox

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Open finds the best rung that works here. Where none does, the error is a
// problem that names the remedies.
//
// On rungs where commands see our processes it closes the /proc entries of this
// one to them, for good, and has processes that lost their parent given to it.
//
// The program has to call [Helper], a test's from TestMain.
func Open(ctx context.Context, o Options) (*Sandbox, error) {
	if len(os.Args) > 1 && os.Args[1] == Verb {
		return nil, errors.New("opening a sandbox: this program was started as a helper and did not call sandbox.Helper")
	}
	s := &Sandbox{options: o}
	if known := o.Known; known != nil {
		s.rung, s.shared, s.refused = known.rung, known.shared, known.refused
		return s, s.guard()
	}
	tries := []Sandbox{
		{rung: Mounts},
		{rung: UserNamespace},
		{rung: UserNamespace, shared: true},
		{rung: Swap, shared: true},
	}
	for i := range tries {
		s.rung, s.shared = tries[i].rung, tries[i].shared
		if o.Only != 0 && o.Only != s.rung {
			continue
		}
		err := s.try(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err == nil {
			return s, s.guard()
		}
		s.refused = append(s.refused, fmt.Sprintf("%s: %v", s.rung, err))
	}
	return nil, &diag.Problem{
		Summary: "RUN instructions cannot be carried out here",
		Detail: "To run a command in the image's files takes namespaces, which this machine does not permit, or a container of " +
			"this action's own image, which this is not (" + strings.Join(s.refused, "; ") + "). Run this as root; or give the " +
			"container the seccomp profile unconfined, which permits user namespaces; or use the action's image; or build the " +
			"image elsewhere, such as with docker build, and name it with use \"docker-ref\".",
	}
}

// try starts a helper that does all that a command needs, in an empty root, and
// then ends.
func (s *Sandbox) try(ctx context.Context) error {
	if s.rung == Mounts && os.Geteuid() != 0 {
		return errors.New("this user is not root")
	}
	if s.rung == Swap {
		if err := s.maySwap(); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp(s.options.Work, "try-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(work)
	root := filepath.Join(work, "root")
	private := filepath.Join(work, "private")
	if err := errors.Join(os.Mkdir(root, 0o755), os.Mkdir(private, 0o700)); err != nil {
		return err
	}
	probe := spec{Rung: s.rung, Shared: s.shared, Probe: true, Root: root, Work: private, Hostname: "probe", OneUser: os.Geteuid() != 0}
	_, err = s.launch(ctx, probe, nil, nil, nil)
	return err
}

// maySwap returns why this is no container whose root folder could be replaced.
func (s *Sandbox) maySwap() error {
	own := s.options.Own
	if own == "" {
		return errors.New("this is no container of this program's own image")
	}
	if filepath.Dir(own) != "/" || own == "/" {
		return fmt.Errorf("%s is not directly below /", own)
	}
	executable, err := os.Executable()
	if err == nil {
		executable, err = filepath.EvalSymlinks(executable)
	}
	if err != nil {
		return fmt.Errorf("finding this program's file: %w", err)
	}
	if !strings.HasPrefix(executable, own+"/") {
		return fmt.Errorf("this program is at %s and not below %s", executable, own)
	}
	if os.Geteuid() != 0 {
		return errors.New("this user is not root")
	}
	return nil
}

// guard protects this process from commands that see it.
func (s *Sandbox) guard() error {
	if !s.shared {
		return nil
	}
	if s.rung == Swap {
		// Loaded once and for all: later, a stage's certificates could be there.
		if _, err := x509.SystemCertPool(); err != nil {
			return fmt.Errorf("reading the machine's certificates: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("closing /proc entries to commands: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopting processes: %w", err)
	}
	return nil
}
