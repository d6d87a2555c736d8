package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a line of the process table.
type process struct{ pid, parent int }

// processes reads the process table.
func processes() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var all []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, err := readProcess(pid); err == nil { // it may have ended
			all = append(all, p)
		}
	}
	return all, nil
}

// readProcess reads /proc/PID/stat. The name of the program, which is its
// second field and can hold anything, ends with the last parenthesis.
func readProcess(pid int) (process, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, err
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 2 {
		return process{}, fmt.Errorf("reading the state of process %d: %d fields", pid, len(fields))
	}
	parent, err := strconv.Atoi(string(fields[1]))
	return process{pid, parent}, err
}

// descendants returns the processes below those of which is(p) holds, and
// these.
func descendants(all []process, is func(process) bool) []process {
	children := map[int][]process{}
	var found []process
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p)
		if is(p) {
			found = append(found, p)
		}
	}
	seen := map[int]bool{}
	for i := 0; i < len(found); i++ {
		if pid := found[i].pid; !seen[pid] {
			seen[pid] = true
			found = append(found, children[pid]...)
		}
	}
	return found
}

// endDescendants kills all processes below this one and returns when there are
// none left. Those whose parent ends become children of this one.
func endDescendants() error {
	own := os.Getpid()
	for {
		all, err := processes()
		if err != nil {
			return err
		}
		for _, p := range descendants(all, func(p process) bool { return p.parent == own }) {
			_ = unix.Kill(p.pid, unix.SIGKILL) // it may have ended
		}
		_, err = syscall.Wait4(-1, nil, 0, nil)
		if errors.Is(err, syscall.ECHILD) {
			return nil
		}
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("waiting for processes to end: %w", err)
		}
	}
}

// sweep ends the processes of a run whose supervisor the command killed, and
// which came to this process then. They are told by the capabilities that no
// process of a run can have; where this process has none of those either, it
// cannot tell them from its other children and leaves them.
func sweep() error {
	own := os.Getpid()
	if confined(own) {
		return nil
	}
	for {
		all, err := processes()
		if err != nil {
			return err
		}
		orphans := descendants(all, func(p process) bool {
			return p.parent == own && confined(p.pid)
		})
		if len(orphans) == 0 {
			return nil
		}
		for _, p := range orphans {
			_ = unix.Kill(p.pid, unix.SIGKILL) // it may have ended
		}
		for _, p := range orphans {
			if p.parent == own {
				// Its status is nobody's concern any more.
				_, _ = syscall.Wait4(p.pid, nil, 0, nil)
			}
		}
	}
}

// confined reports whether a process has gone through [spec.become]: it gains
// no privileges, and its capabilities are bound to those that are kept.
func confined(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false
	}
	bound, noPrivileges := false, false
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "CapBnd":
			set, err := strconv.ParseUint(value, 16, 64)
			bound = err == nil && set&^keptSet() == 0
		case "NoNewPrivs":
			noPrivileges = value == "1"
		}
	}
	return bound && noPrivileges
}
