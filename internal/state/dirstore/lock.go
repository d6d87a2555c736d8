package dirstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// lockInterval is how often a lock that another process holds is tried.
const lockInterval = 100 * time.Millisecond

// Lock implements [state.Store]. The lock is the kernel's, on a file of its
// own, and ends with its process at the latest. The text in the file is only
// for those who wait.
func (s *Store) Lock(ctx context.Context, project, app, workspace string, waiting func(holder string)) (unlock func(context.Context) error, err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	file, err := s.lockFile(project, app, workspace)
	if err != nil {
		return nil, fmt.Errorf("opening lock of app %q in workspace %q: %w", app, workspace, err)
	}
	held := ""
	err = retry.Poll(ctx, lockInterval, func(context.Context) (bool, error) {
		free, err := tryLock(file)
		if free || err != nil {
			return free, err
		}
		if holder := readHolder(file); holder != held {
			held = holder
			if waiting != nil {
				waiting(holder)
			}
		}
		return false, nil
	})
	if err == nil {
		err = writeHolder(file, s.holder())
	}
	if err != nil {
		if held != "" {
			err = fmt.Errorf("held by %s: %w", held, err)
		}
		err = fmt.Errorf("locking app %q in workspace %q: %w", app, workspace, err)
		return nil, errors.Join(err, file.Close())
	}
	return release(file), nil
}

// release returns the unlock of a held lock. The file stays: to remove it would
// take it from somebody who has opened it and waits.
func release(file *os.File) func(context.Context) error {
	var once sync.Once
	return func(context.Context) (err error) {
		once.Do(func() { err = errors.Join(file.Truncate(0), file.Close()) })
		return err
	}
}

// lockFile opens the file of one lock. Its path has one element per name, so
// that no two locks share a file and no name is too long for one element.
func (s *Store) lockFile(project, app, workspace string) (*os.File, error) {
	folder := filepath.Join(s.dir, "locks", escape(project), escape(app))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(folder, escape(workspace)), os.O_RDWR|os.O_CREATE, 0o600)
}

// longestName leaves room below the 255 bytes that file systems allow.
const longestName = 200

// escape returns a file name for name, different for different names also
// where file systems fold case: lower-case letters, digits and dashes are
// themselves, any other byte is = and two hexadecimal digits. A name that is
// too long ends in =- and a hash.
func escape(name string) string {
	var b strings.Builder
	b.WriteString("=") // never empty, never hidden, and it can be told from a folder of another kind
	for _, c := range []byte(name) {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "=%02x", c)
	}
	if b.Len() > longestName {
		return fmt.Sprintf("%s=-%x", b.String()[:100], sha256.Sum256([]byte(name)))
	}
	return b.String()
}

// tryLock takes the lock if it is free.
func tryLock(file *os.File) (free bool, err error) {
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}

// holder describes this process to those who wait for it.
func (s *Store) holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	return fmt.Sprintf("%s (process %d on %s, since %s)",
		cmp.Or(s.Verb, "deploy-action"), os.Getpid(), host, time.Now().Format("2006-01-02 15:04:05 MST"))
}

func writeHolder(file *os.File, holder string) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(holder), 0)
	return err
}

// readHolder returns what the holder wrote, on one line. It is empty for the
// moment between taking the lock and writing.
func readHolder(file *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<10))
	if err != nil || len(text) == 0 {
		return "another process"
	}
	return strings.Join(strings.Fields(string(text)), " ")
}
