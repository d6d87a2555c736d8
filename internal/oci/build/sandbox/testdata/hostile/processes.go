package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// others are the numbers of all other processes.
func others() []string {
	paths, _ := filepath.Glob("/proc/[0-9]*")
	var all []string
	for _, path := range paths {
		if pid := filepath.Base(path); pid != own {
			all = append(all, pid)
		}
	}
	return all
}

func inProcesses(name string) string {
	for _, pid := range others() {
		if found := inFile("/proc/" + pid + "/" + name); found != "" {
			return found
		}
		tasks, _ := filepath.Glob("/proc/" + pid + "/task/*/" + name)
		for _, task := range tasks {
			if found := inFile(task); found != "" {
				return found
			}
		}
	}
	return ""
}

func otherLinks(name string) string {
	for _, pid := range others() {
		path := "/proc/" + pid + "/" + name
		if to, err := os.Readlink(path); err == nil && strings.Contains(to, "sandbox.test") {
			if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
				f.Close()
				return path + " can be written"
			}
		}
	}
	return ""
}

// regions are the writable parts of a process's memory.
func regions(pid string) [][2]uint64 {
	maps, _ := os.ReadFile("/proc/" + pid + "/maps")
	var all [][2]uint64
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err == nil && strings.HasPrefix(mode, "rw") {
			all = append(all, [2]uint64{from, to})
		}
	}
	return all
}

func memory() string {
	for _, pid := range others() {
		f, err := os.Open("/proc/" + pid + "/mem")
		if err != nil {
			continue
		}
		for _, r := range regions(pid) {
			data := make([]byte, min(r[1]-r[0], 16<<20))
			n, _ := f.ReadAt(data, int64(r[0]))
			if found := holds("the memory of "+pid, data[:n]); found != "" {
				return found
			}
		}
		f.Close()
	}
	return ""
}

func readvMemory() string {
	for _, pid := range others() {
		n, _ := strconv.Atoi(pid)
		data := make([]byte, 1)
		local := []unix.Iovec{{Base: &data[0], Len: 1}}
		// The first page of a program that is not position-independent.
		_, err := unix.ProcessVMReadv(n, local, []unix.RemoteIovec{{Base: 0x400000, Len: 1}}, 0)
		if (err == nil || err == unix.EFAULT) && !mine(n) {
			return "the memory of " + pid + " can be read"
		}
	}
	return ""
}

// mine reports whether a process belongs to this command: it is an ancestor
// that has gone through the same confinement.
func mine(pid int) bool {
	limits := func(pid int) string {
		status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		var found []string
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "CapBnd") || strings.HasPrefix(line, "NoNewPrivs") {
				found = append(found, line)
			}
		}
		return strings.Join(found, "")
	}
	return limits(pid) == limits(os.Getpid())
}

func trace() string {
	for _, pid := range others() {
		n, _ := strconv.Atoi(pid)
		if mine(n) {
			continue
		}
		if err := unix.PtraceAttach(n); err == nil {
			_ = unix.PtraceDetach(n)
			return pid + " can be traced"
		}
	}
	return ""
}

func descriptors() string {
	for _, pid := range others() {
		n, _ := strconv.Atoi(pid)
		links, _ := filepath.Glob("/proc/" + pid + "/fd/*")
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && !mine(n) {
				return link + " is " + to
			}
			if found := inFile(link); found != "" {
				return found
			}
		}
	}
	return ""
}

func inherited() string {
	for fd := 3; fd < 1024; fd++ {
		var stat unix.Stat_t
		if unix.Fstat(fd, &stat) != nil {
			continue
		}
		if to, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); !ownRuntime(to) {
			return fmt.Sprintf("descriptor %d is %s", fd, to)
		}
	}
	return ""
}

// ownRuntime reports whether the Go runtime of this program opened a descriptor.
func ownRuntime(to string) bool {
	return strings.HasPrefix(to, "anon_inode") || strings.HasPrefix(to, "/sys/fs/cgroup/")
}
