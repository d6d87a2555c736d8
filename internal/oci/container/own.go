package container

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Own is the container that this program is in.
type Own struct {
	ID     string
	Image  string  // by its ID
	Dir    string  // in which its first process began
	Mounts []Mount // what it shares with the machine

	mode container.NetworkMode
}

// Mount is a part of the machine's files that a container shares.
type Mount struct {
	Target   string // absolute path in the container
	Volume   string // by name
	Folder   string // of the machine; where Volume is "", too, it is a new volume that goes with the container
	ReadOnly bool
}

// Own finds the container that this program is in. That the engine has no such
// container is a problem at attr. Mounts is the content of
// /proc/self/mountinfo, and hostname that of this machine.
func (e *Engine) Own(ctx context.Context, mounts, hostname, attr string) (*Own, error) {
	for _, id := range []string{containerID(mounts), hostname} {
		if id == "" {
			continue
		}
		found, err := e.docker.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		switch {
		case cerrdefs.IsNotFound(err):
			continue
		case err != nil:
			return nil, explain(ctx, "looking for this program's own container", err)
		}
		return newOwn(found.Container), nil
	}
	return nil, &diag.Problem{
		Summary: "Another machine's Docker engine",
		Detail: fmt.Sprintf("The Docker engine at %q does not know the container that this program is in. It must be the one that runs this "+
			"container: mount that one's socket, unset DOCKER_HOST, or choose another engine.", e.address),
		Attr: attr,
	}
}

// containerID finds in a mount table where the engine keeps the file that is this
// container's /etc/hostname, in a folder with the container's ID; or "".
func containerID(mounts string) string {
	own := regexp.MustCompile(`/([0-9a-f]{64})/(?:userdata/)?hostname$`)
	for line := range strings.Lines(mounts) {
		// See proc_pid_mountinfo(5): the fourth field is what is mounted, the fifth where.
		fields := strings.Fields(line)
		if len(fields) < 5 || fields[4] != "/etc/hostname" {
			continue
		}
		if match := own.FindStringSubmatch(fields[3]); match != nil {
			return match[1]
		}
	}
	return ""
}

func newOwn(found container.InspectResponse) *Own {
	own := &Own{ID: found.ID, Image: found.Image}
	if found.Config != nil {
		own.Dir = found.Config.WorkingDir
	}
	if found.HostConfig != nil {
		own.mode = found.HostConfig.NetworkMode
	}
	for _, m := range found.Mounts {
		one := Mount{Target: m.Destination, ReadOnly: !m.RW}
		switch m.Type {
		case mount.TypeBind:
			one.Folder = m.Source
		case mount.TypeVolume:
			one.Volume = m.Name
		default:
			continue // nothing that could be shared
		}
		own.Mounts = append(own.Mounts, one)
	}
	return own
}

// Holding returns the mount that holds a path, or nil.
func (o *Own) Holding(path string) *Mount {
	var best *Mount
	for i, m := range o.Mounts {
		if m.Holds(path) && (best == nil || len(m.Target) > len(best.Target)) {
			best = &o.Mounts[i]
		}
	}
	return best
}

// network is the mode of a container with the same network.
func (o *Own) network() string {
	if o.mode.IsHost() {
		return string(o.mode)
	}
	return "container:" + o.ID
}

// Holds reports whether a path is in what is mounted.
func (m Mount) Holds(path string) bool {
	return path == m.Target || strings.HasPrefix(path, strings.TrimSuffix(m.Target, "/")+"/")
}

// entry is the mount in the engine's words.
func (m Mount) entry() mount.Mount {
	one := mount.Mount{Type: mount.TypeVolume, Source: m.Volume, Target: m.Target, ReadOnly: m.ReadOnly}
	if m.Folder != "" {
		one.Type, one.Source = mount.TypeBind, m.Folder
	}
	return one
}
