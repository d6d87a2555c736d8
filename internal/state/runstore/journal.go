package runstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// JournalPath returns where the journal of this attempt of this run lies: in a
// folder that the post step, which is another container, sees as well. That is
// $RUNNER_TEMP where it is mounted, else the folder of $GITHUB_STATE's file.
func JournalPath(getenv func(string) string) (string, error) {
	return journalPath(getenv, mounted)
}

func journalPath(getenv func(string) string, mounted func(folder string) bool) (string, error) {
	name := fmt.Sprintf("deploy-action-%s-%s.journal", number(getenv("GITHUB_RUN_ID")), number(getenv("GITHUB_RUN_ATTEMPT")))
	temp, stateFile := getenv("RUNNER_TEMP"), getenv("GITHUB_STATE")
	switch {
	case temp != "" && mounted(temp):
		return filepath.Join(temp, name), nil
	case stateFile != "" && isFolder(filepath.Dir(stateFile)):
		return filepath.Join(filepath.Dir(stateFile), name), nil
	case temp != "" && isFolder(temp):
		return filepath.Join(temp, name), nil // on the host itself, without a container
	}
	return "", errors.New("there is no folder for the journal: neither RUNNER_TEMP nor the folder of GITHUB_STATE exists")
}

// mounted reports whether folder is on another file system than the root. In a
// container that means that it survives it.
func mounted(folder string) bool {
	root, ok := device("/")
	own, found := device(folder)
	return ok && found && own != root
}

func device(folder string) (uint64, bool) {
	info, err := os.Stat(folder)
	if err != nil || !info.IsDir() {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(stat.Dev), true
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// number lets nothing but digits into a file name.
func number(text string) string {
	for _, c := range text {
		if c < '0' || c > '9' {
			return "0"
		}
	}
	if text == "" {
		return "0"
	}
	return text
}
