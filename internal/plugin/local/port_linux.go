package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// portUser says which process listens on port, as far as this user may see it.
func portUser(port int) string {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		inode := listenerInode(table, port)
		if inode == "" {
			continue
		}
		descriptors, err := filepath.Glob("/proc/[0-9]*/fd/*")
		if err != nil {
			return "another process"
		}
		for _, descriptor := range descriptors {
			if target, err := os.Readlink(descriptor); err == nil && target == "socket:["+inode+"]" {
				pid := strings.Split(descriptor, "/")[2]
				name, _ := os.ReadFile("/proc/" + pid + "/comm") // a process without a name is still a process
				return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(name)))
			}
		}
	}
	return "another process"
}

// listenerInode finds the socket that listens on port in a table of the kernel.
func listenerInode(table string, port int) string {
	data, err := os.ReadFile(table)
	if err != nil {
		return ""
	}
	const listening = "0A"
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line) // sl local_address rem_address st … inode
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if local, err := strconv.ParseInt(hex, 16, 32); err == nil && int(local) == port {
			return fields[9]
		}
	}
	return ""
}
