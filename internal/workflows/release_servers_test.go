//go:build servers

package workflows_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// program is the asset for this machine.
const program = "deploy-action-" + runtime.GOOS + "-" + runtime.GOARCH

// github is a stand-in for the program gh, with the releases in a folder. It
// writes down what it was asked to change.
const github = `#!/bin/sh
set -eu
folder=$GH_RELEASES/$3
keep() {
  for word; do if [ -f "$word" ]; then cp "$word" "$folder"; echo "$verb $(basename "$word")" >>"$GH_RELEASES/log"; fi; done
}
verb=$2
case "$1 $2" in
"release view") ls "$folder" ;;
"release create") git ls-remote --exit-code origin "refs/tags/$3" >&2 && mkdir "$folder" && keep "$@" ;;
"release upload") keep "$@" ;;
"release download") cat "$folder/checksums.txt" ;;
*) exit 64 ;;
esac
`

// TestRelease releases a copy of this repository to a bare repository and a
// registry of its own.
func TestRelease(t *testing.T) {
	t.Parallel()
	engine := servers.Docker(t)
	engine.ImportBusybox(t)
	registry := servers.Registry(t, servers.RegistryConfig{})
	r := newReleases(t, strings.Split(git(t, root, "ls-files", "--cached", "--others", "--exclude-standard"), "\n")...)
	w := &world{releases: r, image: registry.Host + "/acme/deploy-action", published: t.TempDir(), tools: t.TempDir()}
	write(t, filepath.Join(w.tools, "gh"), github, 0o755)
	r.environ = []string{
		"DOCKER_HOST=" + engine.Host, "IMAGE=" + w.image, "BASE=" + base(t, engine.Host, registry.Host),
		"PLATFORMS=linux/amd64 linux/arm64", "GH_RELEASES=" + w.published,
		"PATH=" + w.tools + string(filepath.ListSeparator) + os.Getenv("PATH"),
	}

	// A person has pushed the tag.
	source := git(t, r.clone, "rev-parse", "HEAD")
	git(t, r.clone, "push", "--quiet", "origin", "HEAD:refs/tags/v1.2.3")
	w.mustRelease(t, "v1.2.3")
	w.checkCommit(t, "v1.2.3", source)
	w.checkImage(t, "v1.2.3")
	w.checkSetup(t, "v1.2.3")
	w.checkAliases(t, map[string]string{"v1": "v1.2.3", "v1.2": "v1.2.3"})

	first := w.everything(t)
	w.mustRelease(t, "v1.2.3")
	if diff := cmp.Diff(first, w.everything(t)); diff != "" {
		t.Errorf("the second run changed something (-first +second):\n%s", diff)
	}
	w.cutOff(t, first)
	w.otherContent(t, first)
	w.earlierVersion(t)
}

// world is where releases go.
type world struct {
	*releases
	image     string
	published string // the GitHub releases
	tools     string // programs of the test's own
}

func (w *world) mustRelease(t *testing.T, version string) {
	t.Helper()
	log, err := w.release(t, version)
	if err != nil {
		t.Fatalf("releasing %s: %v\n%s", version, err, log)
	}
}

// checkCommit looks at the commit that the tag names.
func (w *world) checkCommit(t *testing.T, version, source string) {
	t.Helper()
	if got := git(t, w.remote, "rev-parse", version+"^"); got != source {
		t.Errorf("%s stands on %s, want %s, which was on main", version, got, source)
	}
	if got := git(t, w.remote, "rev-parse", "main"); got != source {
		t.Errorf("main moved to %s", got)
	}
	want := ".github/actions/setup/release\naction.yml"
	if got := git(t, w.remote, "diff", "--name-only", source, version); got != want {
		t.Errorf("%s changes\n%s\nwant\n%s", version, got, want)
	}
}

// digest asks the registry for the digest of a version.
func (w *world) digest(t *testing.T, version string) string {
	t.Helper()
	tag, err := name.NewTag(w.image + ":" + version)
	if err != nil {
		t.Fatal(err)
	}
	head, err := remote.Head(tag, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return head.Digest.String()
}

// checkImage compares what the tag's action.yml says with the registry, and
// runs the image.
func (w *world) checkImage(t *testing.T, version string) {
	t.Helper()
	pinned := w.image + "@" + w.digest(t, version)
	var definition struct{ Runs struct{ Using, Image string } }
	parse(t, "action.yml", git(t, w.remote, "show", version+":action.yml"), &definition)
	if got, want := definition.Runs.Image, "docker://"+pinned; got != want || definition.Runs.Using != "docker" {
		t.Errorf("action.yml of %s says image: %s, want %s", version, got, want)
	}
	w.checkPlatforms(t, pinned)
	if got := w.docker(t, "run", "--rm", pinned, "version"); got != version {
		t.Errorf("the image says that it is version %s, want %s", got, version)
	}
}

// docker runs the docker command and returns what it prints.
func (w *world) docker(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", args...)
	cmd.Env = append(os.Environ(), w.environ...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// checkSetup runs the setup action of the tag with the assets of the release.
func (w *world) checkSetup(t *testing.T, version string) {
	t.Helper()
	assets := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(w.published, version))))
	defer assets.Close()
	release := git(t, w.remote, "show", version+":.github/actions/setup/release")
	if want := "from https://github.com/Acme/deploy-action/releases/download/" + version + "\n"; !strings.HasPrefix(release, want) {
		t.Errorf("the setup action of %s downloads as in\n%s\nwant %s", version, release, want)
	}
	s := newSetup(t, release)
	log, err := s.run(t, assets.URL, nil)
	if err != nil || !strings.Contains(log, "deploy-action "+version+" is on the PATH") {
		t.Errorf("the setup action of %s ended with %v:\n%s", version, err, log)
	}
}

// checkAliases compares what tags stand for.
func (w *world) checkAliases(t *testing.T, want map[string]string) {
	t.Helper()
	for alias, version := range want {
		if got, want := git(t, w.remote, "rev-parse", alias), git(t, w.remote, "rev-parse", version); got != want {
			t.Errorf("%s is %s, want %s, which is %s", alias, got, version, want)
		}
	}
}

// everything returns all that a release makes: refs, the image's digest, and
// what gh was asked to change.
func (w *world) everything(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%s\n%s\n%s", w.refs(t), w.digest(t, "v1.2.3"), read(t, filepath.Join(w.published, "log")))
}

// cutOff takes back what the last moments of a release make, as if it had been
// cut off before them, and lets it run again.
func (w *world) cutOff(t *testing.T, whole string) {
	t.Helper()
	asset := filepath.Join(w.published, "v1.2.3", program)
	if err := os.Remove(asset); err != nil {
		t.Fatal(err)
	}
	git(t, w.remote, "tag", "--delete", "v1", "v1.2")
	w.mustRelease(t, "v1.2.3")
	if got, want := w.everything(t), whole+"upload "+program+"\n"; got != want {
		t.Errorf("after a run that was cut off (-want +got):\n%s", cmp.Diff(want, got))
	}
	if _, err := os.Stat(asset); err != nil {
		t.Error(err)
	}
}

// otherContent releases the version once more from other commits and with
// another image.
func (w *world) otherContent(t *testing.T, whole string) {
	t.Helper()
	refs, _, _ := strings.Cut(whole, "\nsha256:")
	source := git(t, w.clone, "rev-parse", "HEAD")
	w.refuse(t, "v1.2.3", "IMAGE="+w.image+"-of-others", "its image "+w.image+"-of-others:v1.2.3 does not")
	write(t, filepath.Join(w.published, "v1.2.3/checksums.txt"), "0123  "+program+"\n", 0o644)
	w.refuse(t, "v1.2.3", "", "the release v1.2.3 exists with other programs")
	if got := w.refs(t); got != refs {
		t.Errorf("what was refused changed the refs (-want +got):\n%s", cmp.Diff(refs, got))
	}
	w.commit(t)
	git(t, w.clone, "push", "--quiet", "origin", "main")
	w.refuse(t, "v1.2.3", "", "v1.2.3 exists and is made of another commit")
	// The image was pushed, and then the run was cut off.
	w.tag(t, "v1.2.3", "v1.3.0")
	w.refuse(t, "v1.3.0", "", w.image+":v1.3.0 exists and is made of "+source)
}

// refuse fails the test unless a release is refused with a message.
func (w *world) refuse(t *testing.T, version, environ, said string) {
	t.Helper()
	kept := w.environ
	if environ != "" {
		w.environ = append(kept[:len(kept):len(kept)], environ)
	}
	log, err := w.release(t, version)
	w.environ = kept
	if err == nil || !strings.Contains(log, said) {
		t.Errorf("releasing %s ended with %v, want a failure that says %q:\n%s", version, err, said, log)
	}
}

// earlierVersion releases a fix of an older line, for which no tag was pushed.
func (w *world) earlierVersion(t *testing.T) {
	t.Helper()
	w.mustRelease(t, "v1.1.9")
	w.checkCommit(t, "v1.1.9", git(t, w.clone, "rev-parse", "HEAD"))
	w.checkImage(t, "v1.1.9")
	w.checkAliases(t, map[string]string{"v1": "v1.2.3", "v1.2": "v1.2.3", "v1.1": "v1.1.9"})
}

// base makes the image that the action's image is made on, and returns its
// name in a registry. Of the other processor's busybox nothing is run.
func base(t *testing.T, host, registry string) string {
	t.Helper()
	image := registry + "/release-base:1"
	folder := t.TempDir()
	write(t, filepath.Join(folder, "Dockerfile"), "FROM "+servers.Busybox+"\nCOPY prebuilt /prebuilt\n", 0o644)
	for _, arch := range platforms {
		write(t, filepath.Join(folder, "prebuilt", arch, "busybox"), "of "+arch, 0o755)
	}
	write(t, filepath.Join(folder, "prebuilt", runtime.GOARCH, "busybox"), read(t, "/bin/busybox"), 0o755)
	write(t, filepath.Join(folder, "prebuilt/ca-certificates.crt"), read(t, "/etc/ssl/certs/ca-certificates.crt"), 0o644)
	for _, args := range [][]string{{"build", "--quiet", "--tag", image, folder}, {"push", "--quiet", image}} {
		cmd := exec.CommandContext(t.Context(), "docker", args...)
		cmd.Env = append(os.Environ(), "DOCKER_HOST="+host)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return image
}
