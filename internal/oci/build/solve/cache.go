package solve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	securejoin "github.com/cyphar/filepath-securejoin"
	"github.com/moby/buildkit/solver/pb"
	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// lockPause is how long a command waits before it looks again whether another
// one has left a cache.
const lockPause = 50 * time.Millisecond

// lockCaches finds the folder of each cache mount by its ID and locks it
// against other commands, of this process and of others, until t is closed.
// Everyone locks in the order of IDs, so that no two wait for each other. With
// alone, caches that might be shared are not.
func (s *solver) lockCaches(ctx context.Context, t *setting, op *pb.ExecOp, alone bool) (map[string]string, error) {
	var mounts []*pb.Mount
	for _, m := range op.Mounts {
		if m.MountType == pb.MountType_CACHE {
			mounts = append(mounts, m)
		}
	}
	slices.SortStableFunc(mounts, func(a, b *pb.Mount) int { return strings.Compare(a.CacheOpt.GetID(), b.CacheOpt.GetID()) })
	if len(mounts) == 0 {
		return nil, nil
	}
	if err := os.MkdirAll(s.Caches, 0o755); err != nil {
		return nil, fmt.Errorf("opening cache mounts: %w", err)
	}
	dirs := map[string]string{}
	for _, m := range mounts {
		id := m.CacheOpt.GetID()
		if dirs[id] != "" {
			continue
		}
		var err error
		if dirs[id], err = s.lockCache(ctx, t, m.CacheOpt, alone); err != nil {
			return nil, fmt.Errorf("opening the cache mount %s: %w", m.Dest, err)
		}
	}
	return dirs, nil
}

// lockCache waits until a cache is free. One that is private is not waited
// for: whoever comes second gets another folder.
func (s *solver) lockCache(ctx context.Context, t *setting, o *pb.CacheOpt, alone bool) (dir string, err error) {
	id := sha256.Sum256([]byte(o.ID))
	name := filepath.Join(s.Caches, hex.EncodeToString(id[:16]))
	how := unix.LOCK_EX
	if o.Sharing == pb.CacheSharingOpt_SHARED && !alone {
		how = unix.LOCK_SH
	}
	for n := 0; ; n++ {
		dir := name
		if o.Sharing == pb.CacheSharingOpt_PRIVATE && n > 0 {
			dir = fmt.Sprintf("%s.%d", name, n)
		}
		file, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return "", err
		}
		err = unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		if err == nil {
			t.after = append(t.after, func() { file.Close() }) // which also unlocks
			return dir, nil
		}
		file.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return "", err
		}
		if o.Sharing == pb.CacheSharingOpt_PRIVATE {
			continue
		}
		if err := retry.Sleep(ctx, lockPause); err != nil {
			return "", err
		}
	}
}

// cache adds the folder of a cache mount, which outlives the build.
func (s *solver) cache(ctx context.Context, t *setting, m *pb.Mount, inputs []*snapshot, dir string) error {
	if !exists(dir) {
		if err := s.fillCache(ctx, dir, m, inputs); err != nil {
			return fmt.Errorf("filling the cache mount %s: %w", m.Dest, err)
		}
	}
	t.mounts = append(t.mounts, sandbox.Mount{Kind: sandbox.Cache, Target: m.Dest, Source: dir, ReadOnly: m.Readonly})
	return nil
}

// fillCache makes the folder of a new cache: empty, or with what a stage has.
// Of two that do so at once, the first one's stays.
func (s *solver) fillCache(ctx context.Context, dir string, m *pb.Mount, inputs []*snapshot) error {
	first := nothing()
	if m.Input >= 0 {
		first = inputs[m.Input]
	}
	var (
		root string
		err  error
	)
	if first.source {
		root, err = s.export(ctx, s.Caches, first)
	} else {
		root, err = s.unpackAnew(ctx, s.Caches, first)
	}
	defer func() { _ = rootfs.Remove(root) }() // only disk space is lost
	if err != nil {
		return err
	}
	content, err := securejoin.SecureJoin(root, m.Selector)
	if err != nil {
		return err
	}
	if !exists(content) {
		return missingSource(m)
	}
	if err := os.Rename(content, dir); err != nil && !exists(dir) {
		return err
	}
	return nil
}
