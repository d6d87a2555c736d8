//go:build servers

package app_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// siblingProject builds in a second container, which is given a secret.
const siblingProject = `project = "own"

variable "engine" {
  type    = string
  default = "sibling"
}

variable "key" {
  type      = string
  sensitive = true
  default   = ""
}

app "web" {
  build {
    use "docker" {
      engine  = var.engine
      secrets = { key = var.key }
    }
  }
  deploy {
    use "null" {}
  }
}
`

// sibling makes the project one that builds in a second container.
func (r *ownRun) sibling(t *testing.T, dockerfile string) {
	t.Helper()
	socket, ok := strings.CutPrefix(r.engine.Host, "unix://")
	if !ok {
		t.Skipf("the engine is at %s, which cannot be mounted", r.engine.Host)
	}
	r.extra = []string{"--volume", socket + ":/var/run/docker.sock", "--env", "WP_VAR_key=hunter2-hunter2"}
	r.args = []string{"--debug"}
	r.write(t, "waypoint.hcl", siblingProject)
	r.write(t, "Dockerfile", dockerfile)
}

// newest returns the digest of the image that was built last.
func (r *ownRun) newest(t *testing.T) string {
	t.Helper()
	var index v1.IndexManifest
	decode(t, read(t, filepath.Join(r.folder, ".deploy-action/cache/docker/images/project-own/app-web/index.json")), &index)
	return index.Manifests[len(index.Manifests)-1].Digest.String()
}

// ownSibling compares what a second container makes with what this engine does
// where it may mount, and looks at what a command sees there.
func ownSibling(t *testing.T, r *ownRun) {
	r.sibling(t, busyboxStage+"RUN --mount=type=secret,id=key mkdir /out && wc -c < /run/secrets/key > /out/size && ls / > /out/ls && grep CapEff /proc/self/status > /out/rights\n"+
		"RUN test ! -e /var/run/docker.sock && test ! -e /github && env > /out/env\n")
	log, err := r.build(t)
	if err != nil || !strings.Contains(log, "Commands run with mount and process namespaces") {
		t.Fatalf("building: %v\n%s", err, log)
	}
	root, digest := r.unpack(t), r.newest(t)
	if got := read(t, filepath.Join(root, "out/size")); got != "15\n" {
		t.Errorf("the secret has %s bytes", got)
	}
	if got := read(t, filepath.Join(root, "out/rights")); !strings.Contains(got, "00000000a00005fb") {
		t.Errorf("the command has the rights %s", got)
	}
	if got := read(t, filepath.Join(root, "out/env")); strings.Contains(got, ownToken) || strings.Contains(got, "GITHUB") {
		t.Errorf("the command has the environment %s", got)
	}
	if err := os.RemoveAll(filepath.Join(r.folder, ".deploy-action")); err != nil {
		t.Fatal(err)
	}
	r.extra = append(r.extra, "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"--volume", "/.deploy-action/work")
	r.args = []string{"--debug", "--var", "engine=builtin"}
	log, err = r.build(t)
	if err != nil || !strings.Contains(log, "Commands run with mount and process namespaces") {
		t.Fatalf("building with the built-in engine: %v\n%s", err, log)
	}
	if got := r.newest(t); got != digest {
		t.Errorf("the second container made %s, this engine makes %s", digest, got)
	}
}

// ownSiblingCache keeps what steps made, and tells of a command that fails.
func ownSiblingCache(t *testing.T, r *ownRun) {
	r.sibling(t, busyboxStage+"RUN echo once\n")
	for i, want := range []string{"│ once", "3 of 3 steps were taken from the cache"} {
		if log, err := r.build(t); err != nil || !strings.Contains(log, want) {
			t.Errorf("build %d has no %q: %v\n%s", i+1, want, err, log)
		}
	}
	r.write(t, "Dockerfile", busyboxStage+"\nRUN echo last words; exit 3\n")
	const want = "Dockerfile:5: RUN echo last words; exit 3 ended with exit code 3. The end of its output: last words"
	if log, err := r.build(t); err == nil || !strings.Contains(unwrapped(log), want) {
		t.Errorf("a command that fails: %v, want %q\n%s", err, want, log)
	}
	r.write(t, "Dockerfile", "FROM scratch\nFETCH x\n")
	if log, err := r.build(t); err == nil || !strings.Contains(log, "FETCH") {
		t.Errorf("an invalid Dockerfile: %v\n%s", err, log)
	}
}

// ownSiblingLogins pushes a base that takes a login, and has it read in the
// second container.
func ownSiblingLogins(t *testing.T, r *ownRun) {
	registry := servers.Registry(t, servers.RegistryConfig{Username: "me", Password: "registry-pw"})
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layout.AddImage(oci.NewImage{Config: v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Env: []string{"BASE=1"}}}})
	if err != nil {
		t.Fatal(err)
	}
	pusher := oci.Client{HTTP: http.DefaultClient, Credentials: oci.Credentials{Logins: map[string]oci.Login{registry.Host: {Username: "me", Password: "registry-pw"}}}}
	_, err = pusher.Push(t.Context(), oci.PushRequest{
		Image: artifact.Image{Layout: layout.Dir(), Digest: digest}, To: artifact.Repository{Name: registry.Host + "/base"}, Tag: "v1",
	})
	if err != nil {
		t.Fatal(err)
	}
	r.sibling(t, "FROM "+registry.Host+"/base:v1\nCOPY busybox /busybox\n")
	project := strings.Replace(siblingProject, "      secrets = { key = var.key }\n    }\n", `      cache_repo = "REGISTRY/cache"
    }
    registry {
      use "docker" {
        image    = "REGISTRY/web"
        tag      = "v1"
        username = "me"
        password = var.key
      }
    }
`, 1)
	r.write(t, "waypoint.hcl", strings.ReplaceAll(project, "REGISTRY", registry.Host))
	r.extra = append(r.extra, "--env", "WP_VAR_key=registry-pw", "--env", "REGISTRY_AUTH="+registry.Host+"=me:wrong")
	if log, err := r.build(t); err == nil || !strings.Contains(unwrapped(log), "Registry "+registry.Host+" refused access") {
		t.Errorf("with a wrong login: %v\n%s", err, log)
	}
	r.extra = append(r.extra, "--env", "REGISTRY_AUTH="+registry.Host+"=me:registry-pw")
	if log, err := r.build(t); err != nil {
		t.Errorf("building: %v\n%s", err, log)
	}
}

// ownSiblingKilled ends the first container while a command runs in the second,
// which the engine shows no secret of and which ends with it.
func ownSiblingKilled(t *testing.T, r *ownRun) {
	r.sibling(t, busyboxStage+"RUN --mount=type=secret,id=key sleep 4711\n")
	for _, signal := range []string{"KILL", "TERM"} {
		t.Run(signal, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			defer stop()
			name := strings.ToLower("own-sibling-" + signal + "-" + filepath.Base(r.folder))
			ended := r.start(t, name)
			second := r.awaitSleep(ctx, t, name)
			checkShown(t, second)
			if out, err := r.docker(t, "kill", "--signal", signal, name); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			<-ended
			err := retry.Poll(ctx, 50*time.Millisecond, func(ctx context.Context) (bool, error) {
				_, err := r.engine.Client.ContainerInspect(ctx, second.Container.ID, client.ContainerInspectOptions{})
				return cerrdefs.IsNotFound(err), nil
			})
			if err != nil {
				t.Errorf("the second container is still there: %v", err)
			}
			for _, m := range second.Container.Mounts {
				if m.Name == "" {
					continue
				}
				if _, err := r.engine.Client.VolumeInspect(ctx, m.Name, client.VolumeInspectOptions{}); !cerrdefs.IsNotFound(err) {
					t.Errorf("its volume %s is still there: %v", m.Name, err)
				}
			}
		})
	}
}

// start runs the verb build in a container of the engine's usual network, until
// somebody ends it.
func (r *ownRun) start(t *testing.T, name string) (ended <-chan struct{}) {
	t.Helper()
	args := slices.Concat([]string{
		"run", "--rm", "--name", name, "--volume", r.folder + ":/github/workspace", "--workdir", "/github/workspace",
		"--env", "GITHUB_TOKEN=" + ownToken,
	}, r.extra, []string{ownImage, "build"})
	cmd := exec.CommandContext(t.Context(), "docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+r.engine.Host)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is ended by a signal
		close(done)
	}()
	return done
}

// awaitSleep waits until the command sleep runs in the container beside another.
func (r *ownRun) awaitSleep(ctx context.Context, t *testing.T, name string) client.ContainerInspectResult {
	t.Helper()
	var second client.ContainerInspectResult
	err := retry.Poll(ctx, 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		found, ok, err := r.beside(ctx, name)
		if !ok || err != nil {
			return false, err
		}
		running, err := r.engine.Client.ContainerTop(ctx, found.ID, client.ContainerTopOptions{})
		if err != nil || !strings.Contains(strings.Join(slices.Concat(running.Processes...), " "), "sleep") {
			return false, nil // not yet
		}
		second, err = r.engine.Client.ContainerInspect(ctx, found.ID, client.ContainerInspectOptions{})
		return true, err
	})
	if err != nil {
		t.Fatalf("waiting for the command: %v", err)
	}
	return second
}

// checkShown looks at what the engine says of a second container.
func checkShown(t *testing.T, second client.ContainerInspectResult) {
	t.Helper()
	for _, hidden := range []string{"hunter2", ownToken} {
		if strings.Contains(string(second.Raw), hidden) {
			t.Errorf("the engine shows %q: %s", hidden, second.Raw)
		}
	}
	var mounted []string
	for _, m := range second.Container.Mounts {
		mounted = append(mounted, m.Destination)
	}
	slices.Sort(mounted)
	if want := []string{"/.deploy-action/work", "/github/workspace"}; !slices.Equal(mounted, want) {
		t.Errorf("the second container has %q, want %q", mounted, want)
	}
	if host := second.Container.HostConfig; host.Privileged || !slices.Equal(host.CapAdd, []string{"CAP_SYS_ADMIN"}) && !slices.Equal(host.CapAdd, []string{"SYS_ADMIN"}) {
		t.Errorf("the second container has the rights %q, privileged %v", host.CapAdd, host.Privileged)
	}
}

// beside finds the container that is beside another.
func (r *ownRun) beside(ctx context.Context, name string) (container.Summary, bool, error) {
	first, err := r.engine.Client.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if err != nil {
		return container.Summary{}, false, nil // not yet
	}
	all, err := r.engine.Client.ContainerList(ctx, client.ContainerListOptions{
		Filters: client.Filters{}.Add("label", "deploy-action.dev/beside="+first.Container.ID),
	})
	if err != nil || len(all.Items) == 0 {
		return container.Summary{}, false, err
	}
	return all.Items[0], true, nil
}

// ownSiblingRefused lacks, one after the other, what a second container takes.
func ownSiblingRefused(t *testing.T, r *ownRun) {
	r.sibling(t, "FROM scratch\nCOPY busybox /busybox\n")
	socket := r.extra
	r.extra = nil
	log, err := r.build(t)
	const noSocket = `The engine "sibling" builds in a second container, for which it needs a Docker engine, and there is no socket at "/var/run/docker.sock".`
	if err == nil || !strings.Contains(unwrapped(log), noSocket) {
		t.Errorf("without a socket: %v, want %q\n%s", err, noSocket, log)
	}
	r.extra = slices.Concat(socket, []string{"--env", "GITHUB_ACTIONS=true", "--env", "RUNNER_TEMP=/tmp/runner"})
	r.args = []string{"--state", "dir=/github/workspace/.state"}
	log, err = r.build(t)
	if err == nil || !strings.Contains(unwrapped(log), "Set cache_dir to a folder of the repository") {
		t.Errorf("with a cache out of the workspace: %v\n%s", err, log)
	}
	r.extra, r.args = slices.Concat(socket, []string{"--entrypoint", "/bin/sh"}), nil
	log, err = r.docker(t, slices.Concat(r.flags(), []string{ownImage, "-c", "cp -r /github/workspace /tmp/moved && cd /tmp/moved && exec /deploy-action build"})...)
	if err == nil || !strings.Contains(unwrapped(log), `"/tmp/moved" is a folder of this container itself. Mount it, or choose another engine.`) {
		t.Errorf("with a workspace that is not mounted: %v\n%s", err, log)
	}
}

// unwrapped is a log without the ends of its lines.
func unwrapped(log string) string { return strings.Join(strings.Fields(log), " ") }
