package dirstore_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/dirstore"
)

// child makes the test binary a process of its own that uses a store.
var child = flag.String("child", "", "act as a child process: holder or full, with the folder as argument")

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	switch *child {
	case "":
		os.Exit(m.Run())
	case "holder":
		err = holdLock(flag.Arg(0))
	case "full":
		err = useFullDisk(flag.Arg(0))
	default:
		err = fmt.Errorf("unknown child %q", *child)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func childCommand(t *testing.T, kind, dir string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-child="+kind, dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKilledHolderBlocksNobody waits for a lock whose holder is killed with
// SIGKILL, and so has no chance to unlock.
func TestKilledHolderBlocksNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder := childCommand(t, "holder", dir)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the holder did not get its lock")
	}

	var told []string
	unlock, err := open(t, dir).Lock(t.Context(), "shop", "web", "production", func(holding string) {
		told = append(told, holding)
		if err := holder.Process.Kill(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatalf("Lock after the kill = %v", err)
	}
	if want := fmt.Sprintf("destroy (process %d on ", holder.Process.Pid); len(told) != 1 || !strings.HasPrefix(told[0], want) {
		t.Errorf("waiting was told %q, want once %q…", told, want)
	}
	if err := holder.Wait(); err == nil {
		t.Error("the holder ended by itself")
	}
	if err := unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func holdLock(dir string) error {
	s, err := dirstore.Open(dir, nil)
	if err != nil {
		return err
	}
	s.Verb = "destroy"
	if _, err := s.Lock(context.Background(), "shop", "web", "production", nil); err != nil {
		return err
	}
	fmt.Println("locked")
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, os.Interrupt) // which keeps Go from calling this a deadlock
	<-stopped
	return nil
}

// TestWaitingHearsOfEveryHolder has two holders after one another.
func TestWaitingHearsOfEveryHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := open(t, dir), open(t, dir)
	first.Verb, second.Verb = "up", "prune"
	unlockFirst, err := first.Lock(t.Context(), "p", "web", "w", nil)
	if err != nil {
		t.Fatal(err)
	}
	var unlockSecond func(context.Context) error
	var told []string
	_, err = open(t, dir).Lock(t.Context(), "p", "web", "w", func(holder string) {
		verb, _, _ := strings.Cut(holder, " ")
		told = append(told, verb)
		switch verb {
		case "up": // the second takes over before the third tries again
			if err := unlockFirst(t.Context()); err != nil {
				t.Error(err)
			}
			unlock, err := second.Lock(t.Context(), "p", "web", "w", nil)
			if err != nil {
				t.Error(err)
			}
			unlockSecond = unlock
		case "prune":
			if err := unlockSecond(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0] != "up" || told[1] != "prune" {
		t.Errorf("waiting was told of %q, want up and then prune", told)
	}
}

func TestLockNamesTheHolderWhenItGivesUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	s.Verb = "up"
	if _, err := s.Lock(t.Context(), "p", "web", "w", nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := s.Lock(ctx, "p", "web", "w", func(string) { cancel(errors.New("15 minutes are over")) })
	want := fmt.Sprintf(`locking app "web" in workspace "w": held by up (process %d on `, os.Getpid())
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), ": 15 minutes are over") {
		t.Errorf("Lock = %v, want %s…: 15 minutes are over", err, want)
	}
}

func TestLockOfLongNames(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	long := strings.Repeat("Ä", 500)
	for _, project := range []string{long, long + "x", long + "y"} {
		_, err := s.Lock(t.Context(), project, "web", "w", func(string) {
			t.Error("two long names share a lock")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk lets the kernel refuse to grow any file: a put fails with the
// remedy, and nothing that was there is lost.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := childCommand(t, "full", dir).Run(); err != nil {
		t.Fatalf("child: %v", err)
	}
	wantCount(t, open(t, dir), 41)
}

func useFullDisk(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	ctx := context.Background()
	s, err := dirstore.Open(dir, nil)
	if err != nil {
		return err
	}
	for n := range 40 {
		if err := s.Put(ctx, record(n, state.Running)); err != nil {
			return err
		}
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 100, Max: limit.Max}); err != nil {
		return err
	}
	if err := s.Put(ctx, record(40, state.Running)); !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "every earlier record is kept") {
		return fmt.Errorf("Put on a full disk = %w, want EFBIG with the remedy", err)
	}
	if err := s.Flush(ctx); !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "every record is kept") {
		return fmt.Errorf("Flush on a full disk = %w, want EFBIG and that nothing is lost", err)
	}
	if _, err := os.Stat(dir + "/state.jsonl.gz.new"); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the unfinished file is still there: %w", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return errors.Join(s.Put(ctx, record(40, state.Running)), s.Flush(ctx), s.Close())
}
