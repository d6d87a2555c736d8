package container_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/container"
)

// ownID is the ID of the container that this test pretends to be in.
var ownID = strings.Repeat("0a", 32)

// newOwnEngine is an engine that runs one container.
func newOwnEngine(t *testing.T, id, network string) (*fakeEngine, *container.Engine) {
	t.Helper()
	f, host := newFakeEngine(t)
	f.known = map[string]api.InspectResponse{id: {
		ID: id, Image: "sha256:1",
		Config:     &api.Config{WorkingDir: "/github/workspace"},
		HostConfig: &api.HostConfig{NetworkMode: api.NetworkMode(network)},
		Mounts: []api.MountPoint{
			{Type: mount.TypeBind, Source: "/home/runner/work", Destination: "/github/workspace", RW: true},
			{Type: mount.TypeVolume, Name: "v1", Source: "/var/lib/docker/volumes/v1/_data", Destination: "/github/workspace/sub"},
			{Type: mount.TypeTmpfs, Destination: "/scratch"},
		},
	}}
	return f, open(t, host, nil)
}

func TestOwn(t *testing.T) {
	t.Parallel()
	table := func(source string) string {
		return "1 0 0:1 / / rw - overlay overlay rw\n2 1 8:1 /docker/containers/" + strings.Repeat("ff", 32) + "/hosts /etc/hosts rw - ext4 /dev/sda rw\n" +
			"3 1 8:1 " + source + " /etc/hostname rw,relatime - ext4 /dev/sda rw\n"
	}
	cases := map[string]struct{ id, mounts, hostname string }{
		"by its files":       {ownID, table("/docker/containers/" + ownID + "/hostname"), "elsewhere"},
		"by Podman's files":  {ownID, table("/overlay-containers/" + ownID + "/userdata/hostname"), "elsewhere"},
		"by its name":        {"0123456789ab", table("/somewhere/hostname"), "0123456789ab"},
		"by its name alone":  {"0123456789ab", "", "0123456789ab"},
		"files of another's": {"0123456789ab", table("/docker/containers/" + ownID + "/hostname"), "0123456789ab"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, e := newOwnEngine(t, c.id, "bridge")
			own, err := e.Own(t.Context(), c.mounts, c.hostname, "engine")
			if err != nil {
				t.Fatal(err)
			}
			want := []container.Mount{
				{Target: "/github/workspace", Folder: "/home/runner/work"},
				{Target: "/github/workspace/sub", Volume: "v1", ReadOnly: true},
			}
			if diff := cmp.Diff(want, own.Mounts); diff != "" || own.ID != c.id || own.Image != "sha256:1" {
				t.Errorf("Own = %+v, mounts (-want +got):\n%s", own, diff)
			}
		})
	}
}

func TestOwnOfAnotherEngine(t *testing.T) {
	t.Parallel()
	_, e := newOwnEngine(t, ownID, "bridge")
	_, err := e.Own(t.Context(), "", "elsewhere", "engine")
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Attr != "engine" || !strings.Contains(problem.Detail, "It must be the one that runs this container") {
		t.Errorf("Own = %v, want a problem", err)
	}
}

func TestHolding(t *testing.T) {
	t.Parallel()
	_, e := newOwnEngine(t, ownID, "bridge")
	own, err := e.Own(t.Context(), "", ownID, "")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/github/workspace": "/github/workspace", "/github/workspace/app": "/github/workspace", "/github/workspace/sub/x": "/github/workspace/sub",
		"/github/workspaces": "", "/tmp": "",
	} {
		got := ""
		if m := own.Holding(path); m != nil {
			got = m.Target
		}
		if got != want {
			t.Errorf("Holding(%q) is %q, want %q", path, got, want)
		}
	}
}

// TestRunBesideAnother gives a command the rights and the network that it is to
// have, and nothing by itself.
func TestRunBesideAnother(t *testing.T) {
	t.Parallel()
	for network, want := range map[string]string{"host": "host", "bridge": "container:" + ownID, "github_network_1": "container:" + ownID} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			f, e := newOwnEngine(t, ownID, network)
			own, err := e.Own(t.Context(), "", ownID, "")
			if err != nil {
				t.Fatal(err)
			}
			beside := container.Task{
				Image: own.Image, Command: []string{"build"}, Like: own, Mounting: true, Unlogged: true,
				Mounts: []container.Mount{own.Mounts[0], own.Mounts[1], {Target: "/work"}},
			}
			if _, err := e.Run(t.Context(), beside, io.Discard); err != nil {
				t.Fatal(err)
			}
			got := f.made[0]
			wanted := &api.HostConfig{
				AutoRemove: true, NetworkMode: api.NetworkMode(want), CapAdd: []string{"CAP_SYS_ADMIN"}, LogConfig: api.LogConfig{Type: "none"},
				SecurityOpt: []string{"seccomp=unconfined", "apparmor=unconfined"},
				Mounts: []mount.Mount{
					{Type: mount.TypeBind, Source: "/home/runner/work", Target: "/github/workspace"},
					{Type: mount.TypeVolume, Source: "v1", Target: "/github/workspace/sub", ReadOnly: true},
					{Type: mount.TypeVolume, Target: "/work"},
				},
			}
			if diff := cmp.Diff(wanted, got.HostConfig, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("host configuration (-want +got):\n%s", diff)
			}
			if len(got.Env) > 0 || got.WorkingDir != "/github/workspace" {
				t.Errorf("configuration = %+v, want the other's folder and no variables", got.Config)
			}
		})
	}
}
