package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Usable returns a problem if commands cannot run in roots below dir, which
// exists, because of how its volume is mounted. Where the device nodes of a
// root itself are used, not those of a mounted /dev, it needs devices.
func Usable(dir string, devices bool) error {
	var volume unix.Statfs_t
	if err := unix.Statfs(dir, &volume); err != nil {
		return &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	option, effect := "", ""
	switch {
	case volume.Flags&unix.ST_NOEXEC != 0:
		option, effect = "noexec", "no program can be started from it"
	case devices && volume.Flags&unix.ST_NODEV != 0:
		option, effect = "nodev", "devices such as /dev/null cannot be opened on it"
	default:
		return nil
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("Commands of a build cannot run on the volume of %s", dir),
		Detail: fmt.Sprintf("The volume mounted at %q has the option %s, so that %s. Mount it without that option, or let the build work in a folder of another volume.",
			mountPoint(dir), option, effect),
	}
}

// noRoom explains a volume that is full.
func noRoom(dir string, cause error) error {
	what := "it is full"
	var volume unix.Statfs_t
	if err := unix.Statfs(dir, &volume); err == nil {
		what = fmt.Sprintf("of its %s there are %s left", units.BytesSize(float64(volume.Blocks)*float64(volume.Bsize)), units.BytesSize(float64(volume.Bavail)*float64(volume.Bsize)))
		if volume.Files > 0 && volume.Ffree == 0 {
			what = fmt.Sprintf("it can hold %d files and does", volume.Files)
		}
	}
	return &diag.Problem{
		Summary: "No room to unpack an image",
		Detail: fmt.Sprintf("The volume mounted at %q cannot hold the image's files: %s. Make room there, or let the build work in a folder of another volume.",
			mountPoint(dir), what),
		Err: cause,
	}
}

// mountPoint returns the folder that the volume of dir is mounted at.
func mountPoint(dir string) string {
	dir = canonical(dir)
	best := "/"
	for _, mount := range mounts() {
		if within(dir, mount) && len(mount) >= len(best) {
			best = mount
		}
	}
	return best
}

// refuseMounts returns an error if something is mounted in dir.
func refuseMounts(dir string) error {
	dir = canonical(dir)
	for _, mount := range mounts() {
		if within(mount, dir) {
			return fmt.Errorf("removing root folder %s: something is still mounted at %s", dir, mount)
		}
	}
	return nil
}

// mounts lists where something is mounted, as far as this process sees it.
// Without /proc nothing is known.
func mounts() []string {
	table, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return nil
	}
	var points []string
	for line := range strings.Lines(string(table)) {
		// The fifth field, see proc_pid_mountinfo(5); blanks in it are octal.
		if fields := strings.Fields(line); len(fields) > 4 {
			points = append(points, unescape(fields[4]))
		}
	}
	return points
}

// unescape decodes the octal escapes of a mount table.
func unescape(field string) string {
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] == '\\' && i+4 <= len(field) {
			if code, err := strconv.ParseUint(field[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		b.WriteByte(field[i])
	}
	return b.String()
}

// within reports whether name is folder or below it.
func within(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, strings.TrimSuffix(folder, "/")+"/")
}

// canonical returns the absolute path of dir without links, as a mount table has it.
func canonical(dir string) string {
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	return dir
}
