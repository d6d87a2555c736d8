//go:build servers

package app_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// ownImage is the action's image, as this test makes it.
const ownImage = "local/own:1"

// ownToken is what no RUN must find. The Dockerfiles hold it in two halves.
const ownToken = "t0ken-of-" + "the-job-4711"

// TestOwnImage builds Dockerfiles in default containers of the action's image:
// without a Docker socket, and where nothing can be mounted.
func TestOwnImage(t *testing.T) {
	t.Parallel()
	engine := servers.Docker(t)
	engine.ImportBusybox(t)
	buildAction(t, engine, ownImage)
	registry := servers.Registry(t, servers.RegistryConfig{})
	cases := map[string]func(*testing.T, *ownRun){
		"two-stage Go build": ownGoBuild,
		"shells":             ownShells,
		"a hostile RUN":      ownHostile,
		"command files":      ownCommandFiles,
		"as ARC's hooks":     ownScript,
		"side by side":       ownSideBySide,
		"a hook's image":     ownHook,
		"beside a socket":    ownSocket,
		"a sibling":          ownSibling,
		"a sibling's cache":  ownSiblingCache,
		"a sibling's logins": ownSiblingLogins,
		"a killed sibling":   ownSiblingKilled,
		"no sibling":         ownSiblingRefused,
	}
	base := sync.OnceValue(func() string { return pushToolchain(t, registry.Host) })
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			r := &ownRun{engine: engine, folder: t.TempDir(), base: base}
			r.write(t, "waypoint.hcl", ownProject)
			copyFile(t, "/bin/busybox", filepath.Join(r.folder, "busybox"))
			test(t, r)
		})
	}
}

// buildAction makes the action's image with its own Dockerfile.
func buildAction(t *testing.T, engine *servers.DockerEngine, image string) {
	t.Helper()
	const builder = "local/builder:1"
	buildImage(t, engine, builder, prebuilt(t), nil)
	source := t.TempDir()
	for _, path := range []string{"Dockerfile", ".ci/image-root"} {
		copyFile(t, filepath.Join(repositoryRoot, path), filepath.Join(source, path))
	}
	buildImage(t, engine, image, source, map[string]string{"BUILDER": builder})
}

// ownProject has one app, whose build's arguments come from the environment.
const ownProject = `project = "own"

variable "base" {
  type    = string
  default = ""
}

app "web" {
  build {
    use "docker" {
      build_args = { BASE = var.base }
    }
  }
  deploy {
    use "null" {}
  }
}
`

// busyboxStage is the beginning of a Dockerfile whose commands are busybox's.
const busyboxStage = "FROM scratch AS shell\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n"

// ownRun is a project that is built in containers.
type ownRun struct {
	engine *servers.DockerEngine
	folder string        // the workspace
	base   func() string // pushes an image with a toolchain
	extra  []string      // flags of docker run
	args   []string      // of the program, beside the verb
}

func (r *ownRun) write(t *testing.T, name, content string) {
	t.Helper()
	write(t, filepath.Join(r.folder, name), content)
}

// docker runs the client.
func (r *ownRun) docker(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+r.engine.Host)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// flags are those that a runner gives, less the socket. The network is the
// machine's, where the registry is.
func (r *ownRun) flags() []string {
	return append([]string{
		"run", "--rm", "--network", "host", "--volume", r.folder + ":/github/workspace", "--workdir", "/github/workspace",
		"--env", "GITHUB_TOKEN=" + ownToken,
	}, r.extra...)
}

// build runs the verb build and returns its log.
func (r *ownRun) build(t *testing.T) (log string, err error) {
	t.Helper()
	return r.docker(t, slices.Concat(r.flags(), []string{ownImage, "build"}, r.args)...)
}

// built builds and unpacks the image.
func (r *ownRun) built(t *testing.T) (root string) {
	t.Helper()
	log, err := r.build(t)
	if err != nil {
		t.Fatalf("building: %v\n%s", err, log)
	}
	return r.unpack(t)
}

// unpack writes the image that was built to a folder.
func (r *ownRun) unpack(t *testing.T) (root string) {
	t.Helper()
	layout := filepath.Join(r.folder, ".deploy-action/cache/docker/images/project-own/app-web")
	var index v1.IndexManifest
	decode(t, read(t, filepath.Join(layout, "index.json")), &index)
	newest := artifact.Image{Layout: layout, Digest: index.Manifests[len(index.Manifests)-1].Digest.String()}
	image, err := oci.Client{HTTP: http.DefaultClient}.Fetch(t.Context(), newest, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	if err := oci.Unpack(t.Context(), image, root); err != nil {
		t.Fatal(err)
	}
	return root
}

// ownGoBuild compiles a program and runs what comes out.
func ownGoBuild(t *testing.T, r *ownRun) {
	r.args = []string{"--var", "base=" + r.base()}
	r.write(t, "Dockerfile", "ARG BASE\nFROM $BASE AS build\nWORKDIR /src\nCOPY go.mod main.go ./\n"+
		"RUN --mount=type=cache,target=/cache GOCACHE=/cache CGO_ENABLED=0 go build -trimpath -o /app .\n"+
		"FROM scratch\nCOPY --from=build /app /app\nENTRYPOINT [\"/app\"]\n")
	r.write(t, "go.mod", "module example.com/hello\n\ngo 1.26\n")
	r.write(t, "main.go", "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n")
	output, err := exec.CommandContext(t.Context(), filepath.Join(r.built(t), "app")).CombinedOutput()
	if err != nil || string(output) != "hello\n" {
		t.Errorf("the program says %q, %v", output, err)
	}
}

// ownSocket gives the container the engine's socket, as runners do: then no
// command runs beside this program, from where it could reach that.
func ownSocket(t *testing.T, r *ownRun) {
	socket, ok := strings.CutPrefix(r.engine.Host, "unix://")
	if !ok {
		t.Skipf("the engine is at %s, which cannot be mounted", r.engine.Host)
	}
	r.extra = []string{"--volume", socket + ":/var/run/docker.sock"}
	r.args = []string{"--debug"} // who builds is in a step's output, which a terminal hides
	r.write(t, "Dockerfile", busyboxStage+"RUN test ! -e /var/run/docker.sock && echo done > /done\n")
	log, err := r.build(t)
	if err != nil {
		t.Fatalf("building: %v\n%s", err, log)
	}
	const want = `The Docker engine at "unix:///var/run/docker.sock" builds, since here commands could only run in this container's own root folder`
	if !strings.Contains(log, want) {
		t.Errorf("the log does not say %q:\n%s", want, log)
	}
	if got := read(t, filepath.Join(r.unpack(t), "done")); got != "done\n" {
		t.Errorf("/done is %q", got)
	}
	r.write(t, "Dockerfile", "FROM scratch\nCOPY busybox /busybox\n")
	if log, err = r.build(t); err != nil || !strings.Contains(log, "The built-in engine builds: no command is to be run") {
		t.Errorf("with nothing to run: %v\n%s", err, log)
	}
}

// ownShells needs /dev, /proc and a user.
func ownShells(t *testing.T, r *ownRun) {
	r.args = []string{"--var", "base=" + r.base()}
	r.write(t, "Dockerfile", "ARG BASE\nFROM $BASE\nSHELL [\"/bin/bash\", \"-c\"]\nRUN mkdir /out && cat <(echo one) <(echo two) > /out/both && echo seen > /dev/stdout\n"+
		"RUN sleep 1000 & disown; test -d /.deploy-action && echo three > /out/left\n"+
		"RUN echo app:x:7:7::/home/app:/bin/bash >> /etc/passwd\nUSER app\nRUN id -u > /tmp/uid && ls -l /proc/self/exe > /dev/null\n")
	root := r.built(t)
	for name, want := range map[string]string{"out/both": "one\ntwo\n", "out/left": "three\n", "tmp/uid": "7\n"} {
		if got := read(t, filepath.Join(root, name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{".deploy-action", "github", "deploy-action"} {
		if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
			t.Errorf("the image has our /%s", name)
		}
	}
}

// ownHostile has a RUN look for the token in every way it knows.
func ownHostile(t *testing.T, r *ownRun) {
	compile := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", filepath.Join(r.folder, "hostile"), "./internal/oci/build/sandbox/testdata/hostile")
	compile.Dir, compile.Env = repositoryRoot, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	header := "[http \"https://github.com/\"]\n\textraheader = AUTHORIZATION: basic " +
		base64.StdEncoding.EncodeToString([]byte("x-access-token:"+ownToken)) + "\n\t# " + ownToken + "\n"
	r.write(t, ".git/config", header)
	r.write(t, ".git/HEAD", "ref: refs/heads/main\n")
	home, commands := t.TempDir(), t.TempDir()
	logins := `{"auths":{"registry.example":{"auth":"` + ownToken + `"}}}`
	write(t, filepath.Join(home, ".docker/config.json"), logins)
	write(t, filepath.Join(home, ".aws/credentials"), ownToken)
	for _, name := range []string{"env", "output", "path", "state"} {
		write(t, filepath.Join(commands, name), "")
		r.extra = append(r.extra, "--env", "GITHUB_"+strings.ToUpper(name)+"=/github/file_commands/"+name)
	}
	r.extra = append(r.extra, "--volume", home+":/github/home", "--volume", commands+":/github/file_commands", "--env", "HOME=/github/home",
		"--env", "GITHUB_ACTIONS=true", "--env", "ACTIONS_ID_TOKEN_REQUEST_URL=http://127.0.0.1:1", "--env", "ACTIONS_ID_TOKEN_REQUEST_TOKEN="+ownToken)
	r.args = []string{"--state", "dir=/github/workspace/.state"}
	r.write(t, "Dockerfile", busyboxStage+"COPY . /copied\nCOPY hostile /bin/hostile\nRUN mkdir /out && hostile t0ken-of- the-job-4711 /github/workspace/.git/config > /out/attempts\n"+
		"RUN cd / && grep -rlF t0ken-of-\"\"the-job-4711 $(ls -A | grep -vxE 'proc|sys|dev') > /out/files; ls -A / > /out/ls\n")
	root := r.built(t)
	if got := read(t, filepath.Join(r.folder, ".git/config")); got != header {
		t.Errorf("git's settings are %q afterwards", got)
	}
	if got := read(t, filepath.Join(home, ".docker/config.json")); got != logins {
		t.Errorf("the logins are %q afterwards", got)
	}
	if got := read(t, filepath.Join(home, ".aws/credentials")); got != ownToken {
		t.Errorf("the cloud's credentials are %q afterwards", got)
	}
	if got := read(t, filepath.Join(commands, "env")); got != "" {
		t.Errorf("the command file is %q", got)
	}
	if got := read(t, filepath.Join(root, "out/files")); got != "" {
		t.Errorf("the token is in files:\n%s", got)
	}
	if got := read(t, filepath.Join(root, "out/ls")); !strings.Contains(got, ".deploy-action\n") || strings.Contains(got, "github\n") {
		t.Errorf("the command sees:\n%s", got)
	}
	attempts := strings.Split(strings.TrimSpace(read(t, filepath.Join(root, "out/attempts"))), "\n")
	for _, attempt := range attempts {
		if !strings.HasSuffix(attempt, ": nothing") {
			t.Error(attempt)
		}
	}
	if len(attempts) < 37 {
		t.Errorf("%d attempts, want all: %q", len(attempts), attempts)
	}
}

// ownCommandFiles has a RUN write to what the runner reads.
func ownCommandFiles(t *testing.T, r *ownRun) {
	commands := t.TempDir()
	write(t, filepath.Join(commands, "set_env"), "")
	write(t, filepath.Join(commands, "summary"), "")
	r.extra = []string{
		"--volume", commands + ":/github/file_commands", "--env", "GITHUB_ENV=/github/file_commands/set_env", "--env", "GITHUB_ACTIONS=true",
		"--env", "GITHUB_STEP_SUMMARY=/github/file_commands/summary",
	}
	r.args = []string{"--state", "dir=/github/workspace/.state"}
	r.write(t, "Dockerfile", busyboxStage+"RUN for f in $(find / -name set_env 2>/dev/null); do echo NODE_OPTIONS=evil > $f; done\n")
	log, err := r.build(t)
	if err == nil || !strings.Contains(log, "A RUN instruction changed files of the job") {
		t.Errorf("building: %v\n%s", err, log)
	}
	if got := read(t, filepath.Join(commands, "set_env")); got != "" {
		t.Errorf("the command file is %q", got)
	}
}

// ownScript starts as ARC's hooks do: a script moves the workspace into place,
// where it is a plain folder, and then starts the entry point.
func ownScript(t *testing.T, r *ownRun) {
	r.write(t, "Dockerfile", busyboxStage+"RUN mkdir /out && ls / > /out/ls\n")
	script := filepath.Join(t.TempDir(), "script")
	write(t, script, "mkdir -p /github && mv /moved /github/workspace && rm -f /gone && cd /github/workspace\nenv A=1 /deploy-action build\n")
	name := "own-script-" + filepath.Base(r.folder)
	if out, err := r.docker(t, "create", "--name", name, "--network", "none", "--entrypoint", "sh", ownImage, "-e", "/script"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		cmd := exec.Command("docker", "rm", "--force", name)
		cmd.Env = append(os.Environ(), "DOCKER_HOST="+r.engine.Host)
		_ = cmd.Run() // the engine of a test ends with it
	})
	for from, to := range map[string]string{script: "/script", r.folder: "/moved"} {
		if out, err := r.docker(t, "cp", from, name+":"+to); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	log, err := r.docker(t, "start", "--attach", name)
	if err != nil {
		t.Fatalf("building: %v\n%s", err, log)
	}
	if out, err := r.docker(t, "cp", name+":/github/workspace/.deploy-action", r.folder); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := strings.Fields(read(t, filepath.Join(r.unpack(t), "out/ls")))
	if !slices.Contains(got, "bin") || slices.Contains(got, "github") || slices.Contains(got, "script") {
		t.Errorf("the command sees %q", got)
	}
}

// ownSideBySide compresses and copies while commands have their files in "/".
func ownSideBySide(t *testing.T, r *ownRun) {
	for i := range 300 {
		r.write(t, fmt.Sprintf("many/%d/%d", i%7, i), strings.Repeat("content\n", 2000))
	}
	r.write(t, "Dockerfile", busyboxStage+"FROM shell AS a\nRUN mkdir /out && dd if=/dev/urandom of=/out/a bs=1M count=30 2>/dev/null\nRUN sleep 1; touch /out/a2\n"+
		"FROM shell AS b\nCOPY many /many\nRUN --mount=type=cache,target=/c mkdir /out && cp -r /many /c/ && sleep 1 && echo b > /out/b\n"+
		"FROM shell AS c\nRUN --mount=type=cache,target=/c sleep 1; mkdir /out && echo c > /out/c\nCOPY many /many\n"+
		"FROM scratch\nCOPY --from=a /out /\nCOPY --from=b /out /\nCOPY --from=c /out /\nCOPY --from=c /many /many\n")
	root := r.built(t)
	for name, want := range map[string]string{"b": "b\n", "c": "c\n"} {
		if got := read(t, filepath.Join(root, name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// ownHook runs a hook in an image that has what the action's has not.
func ownHook(t *testing.T, r *ownRun) {
	r.write(t, "waypoint.hcl", strings.Replace(ownProject, "use \"docker\"", `hook {
      when    = "before"
      image   = var.base
      command = ["bash", "-c", "cat <(echo $BASH_VERSION) > bash.txt; cat .git/config > settings.txt"]
    }
    use "docker"`, 1))
	r.write(t, ".git/config", ownToken)
	r.write(t, ".git/HEAD", "ref: refs/heads/main\n")
	r.write(t, "Dockerfile", "FROM scratch\nCOPY bash.txt settings.txt /\n")
	r.args = []string{"--var", "base=" + r.base()}
	root := r.built(t)
	if got := read(t, filepath.Join(root, "bash.txt")); !strings.Contains(got, ".") {
		t.Errorf("the hook says %q, want a version of bash", got)
	}
	if got := read(t, filepath.Join(root, "settings.txt")); got != "" {
		t.Errorf("the hook sees git's settings: %q", got)
	}
}
