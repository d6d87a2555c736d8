package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// places are the folders that "/" can be seen by: itself, what was put aside of
// it, and what other processes see.
func places() []string {
	found, _ := filepath.Glob("/.deploy-action/aside-*")
	for _, pid := range others() {
		found = append(found, "/proc/"+pid+"/root")
	}
	return append(found, "/")
}

// inFolders looks for the text in all small files below folders of a job.
func inFolders(names ...string) string {
	for _, place := range places() {
		for _, name := range names {
			if found := inFolder(filepath.Join(place, name)); found != "" {
				return found
			}
		}
	}
	return ""
}

func inFolder(dir string) (found string) {
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // the rest can be looked at
		}
		if info, err := entry.Info(); err != nil || info.Size() > 1<<20 {
			return nil
		}
		if found = inFile(path); found != "" {
			return fs.SkipAll
		}
		return nil
	})
	return found
}

// journal looks into the file in which a job notes what it did.
func journal() string {
	for _, place := range places() {
		paths, _ := filepath.Glob(filepath.Join(place, "*", "*", "deploy-action-*.journal"))
		for _, path := range paths {
			if found := inFile(path); found != "" {
				return found
			}
		}
	}
	return ""
}

// tokenRequest looks for what a token of the job's identity is asked for with.
func tokenRequest() string {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte("ACTIONS_ID_TOKEN_REQUEST_")) {
			return path + " has its variables"
		}
	}
	for _, variable := range os.Environ() {
		for _, prefix := range []string{"ACTIONS_", "GITHUB_", "INPUT_", "STATE_"} {
			if strings.HasPrefix(variable, prefix) {
				return "the variable " + variable
			}
		}
	}
	return ""
}

// signals stops and kills the first process. That it does not end by that is
// told by the lines that follow.
func signals() string {
	for _, signal := range []unix.Signal{unix.SIGSTOP, unix.SIGKILL} {
		_ = unix.Kill(1, signal) // who may do this has done nothing yet
	}
	status, _ := os.ReadFile("/proc/1/status")
	if bytes.Contains(status, []byte("\nState:\tT")) {
		return "the first process has stopped"
	}
	return ""
}

// coreDumps looks for a process whose memory would be written to a file when a
// signal ends it.
func coreDumps() string {
	for _, pid := range others() {
		n, _ := strconv.Atoi(pid)
		if mine(n) {
			continue
		}
		var limit unix.Rlimit
		if unix.Prlimit(n, unix.RLIMIT_CORE, nil, &limit) != nil || limit.Max == 0 {
			continue
		}
		if unix.Prlimit(n, unix.RLIMIT_CORE, &unix.Rlimit{Cur: limit.Max, Max: limit.Max}, nil) == nil {
			return fmt.Sprintf("process %s can be made to write one of %d bytes", pid, limit.Max)
		}
	}
	return ""
}

// takenDescriptors takes descriptors out of processes by system call.
func takenDescriptors() string {
	for _, pid := range others() {
		n, _ := strconv.Atoi(pid)
		process, err := unix.PidfdOpen(n, 0)
		if err != nil || mine(n) {
			continue
		}
		for fd := range 20 {
			if taken, err := unix.PidfdGetfd(process, fd, 0); err == nil {
				unix.Close(taken)
				return fmt.Sprintf("descriptor %d of %s", fd, pid)
			}
		}
		unix.Close(process)
	}
	return ""
}
