package state_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/deploy-action/deploy-action/internal/state"
)

// child makes the test binary a process of its own that uses a journal: limits
// and kills are for whole processes.
var child = flag.String("child", "", "act as a child process: full or endless, with the journal's path as argument")

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	switch *child {
	case "":
		os.Exit(m.Run())
	case "full":
		err = appendToFullDisk(flag.Arg(0))
	case "endless":
		err = appendEndlessly(flag.Arg(0))
	default:
		err = fmt.Errorf("unknown child %q", *child)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func childCommand(t *testing.T, kind, path string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-child="+kind, path)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestJournalOnAFullDisk lets the kernel cut a write in the middle of a line:
// beyond the limit on file sizes it writes what fits and then refuses.
func TestJournalOnAFullDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	if err := childCommand(t, "full", path).Run(); err != nil {
		t.Fatalf("child: %v", err)
	}
	wantIDs(t, openJournal(t, path), "C", "A")
	if content := read(t, path); strings.Contains(string(content), `"id":"B"`) {
		t.Errorf("half a line was left: %q", content)
	}
}

// appendToFullDisk appends A with room, B without, and C with room again.
func appendToFullDisk(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	j, err := state.OpenJournal(path, nil)
	if err != nil {
		return err
	}
	if err := j.Append(record("A", state.Running)); err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	full := syscall.Rlimit{Cur: uint64(j.Size()) + 50, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		return err
	}
	err = j.Append(record("B", state.Running))
	if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "every earlier record is kept") {
		return fmt.Errorf("Append on a full disk = %w, want EFBIG with the remedy", err)
	}
	if records := j.Records(); len(records) != 1 || records[0].ID != "A" {
		return fmt.Errorf("Records on a full disk = %v, want A", records)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return errors.Join(j.Append(record("C", state.Running)), j.Close())
}

// TestJournalSurvivesKills kills a writer at moments that it cannot choose:
// whatever it was told is on disk must be there.
func TestJournalSurvivesKills(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	var told []string
	for after := range 5 {
		cmd := childCommand(t, "endless", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range after * 3 {
			lines.Scan()
			told = append(told, lines.Text())
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died
			told = append(told, lines.Text())
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
	}
	var kept []string
	for _, r := range openJournal(t, path).Records() {
		kept = append(kept, r.ID)
	}
	for _, id := range told {
		if !slices.Contains(kept, id) {
			t.Errorf("record %s was acknowledged and is lost", id)
		}
	}
	if len(told) < 18 {
		t.Errorf("only %d records were acknowledged", len(told))
	}
}

// appendEndlessly prints the ID of each record when Append has returned.
func appendEndlessly(path string) error {
	j, err := state.OpenJournal(path, nil)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d-%d", os.Getpid(), i)
		if err := j.Append(record(id, state.Running)); err != nil {
			return err
		}
		fmt.Println(id)
	}
}
