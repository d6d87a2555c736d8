package sandbox

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// home is where the image of this program has all of its files, as
// .ci/image-root lays them out.
const home = "/.deploy-action"

// Home returns the folder for [Options.Own] where this program is that of its
// own image, and "" anywhere else.
func Home() string {
	executable, err := os.Executable()
	if err == nil {
		executable, err = filepath.EvalSymlinks(executable)
	}
	if err != nil || !strings.HasPrefix(executable, home+"/bin/") {
		return ""
	}
	return home
}

// Anchor returns a path to a folder that this process can use also while a
// command has its files in "/", see [Options.Own]. Other processes cannot. It
// is good until anchor is closed.
func Anchor(dir string) (path string, anchor io.Closer, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd()), f, nil
}
