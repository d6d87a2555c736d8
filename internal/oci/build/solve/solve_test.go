package solve

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/buildkit/solver/pb"
)

// TestFileBase finds what a chain of actions is on top of.
func TestFileBase(t *testing.T) {
	t.Parallel()
	action := func(input, output int64) *pb.FileAction { return &pb.FileAction{Input: input, Output: output} }
	tests := map[string]struct {
		actions []*pb.FileAction
		inputs  int
		want    int
	}{
		"an input":        {[]*pb.FileAction{action(0, 0)}, 1, 0},
		"another input":   {[]*pb.FileAction{action(1, 0)}, 2, 1},
		"nothing":         {[]*pb.FileAction{action(-1, 0)}, 1, -1},
		"a chain":         {[]*pb.FileAction{action(1, -1), action(2, -1), action(3, 0)}, 2, 1},
		"a chain on none": {[]*pb.FileAction{action(-1, -1), action(0, 0)}, 0, -1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fileBase(&pb.FileOp{Actions: test.actions}, test.inputs); got != test.want {
				t.Errorf("fileBase = %d, want %d", got, test.want)
			}
		})
	}
}

// TestLockCaches has two commands want the same cache.
func TestLockCaches(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sharing pb.CacheSharingOpt
		alone   bool
		waits   bool
		same    bool
	}{
		"shared":                {pb.CacheSharingOpt_SHARED, false, false, true},
		"shared, one at a time": {pb.CacheSharingOpt_SHARED, true, true, true},
		"locked":                {pb.CacheSharingOpt_LOCKED, false, true, true},
		"private":               {pb.CacheSharingOpt_PRIVATE, false, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caches := filepath.Join(t.TempDir(), "caches")
			synctest.Test(t, func(t *testing.T) {
				s := &solver{Request: Request{Caches: caches}}
				op := &pb.ExecOp{Mounts: []*pb.Mount{
					{MountType: pb.MountType_CACHE, CacheOpt: &pb.CacheOpt{ID: "a", Sharing: test.sharing}},
					{MountType: pb.MountType_CACHE, CacheOpt: &pb.CacheOpt{ID: "a", Sharing: test.sharing}},
				}}
				first := &setting{}
				dirs, err := s.lockCaches(t.Context(), first, op, test.alone)
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(time.Hour, first.close)
				second, began := &setting{}, time.Now()
				defer second.close()
				again, err := s.lockCaches(t.Context(), second, op, test.alone)
				if err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(began) >= time.Hour; waited != test.waits {
					t.Errorf("the second command waited: %v, want %v", waited, test.waits)
				}
				if same := dirs["a"] == again["a"]; same != test.same {
					t.Errorf("the folders are %q and %q", dirs["a"], again["a"])
				}
			})
		})
	}
}

// TestForeign refuses a command for another processor unless it is emulated.
func TestForeign(t *testing.T) {
	t.Parallel()
	if handlers, err := filepath.Glob("/proc/sys/fs/binfmt_misc/qemu-*"); err != nil || len(handlers) > 0 {
		t.Skip("this machine emulates others")
	}
	err := foreign(&pb.Platform{OS: "linux", Architecture: "s390x"})
	if err == nil || !strings.Contains(err.Error(), "RUN for another processor") {
		t.Errorf("foreign = %v, want a problem", err)
	}
	if err := foreign(&pb.Platform{}); err != nil {
		t.Error(err)
	}
}

func TestEmulates(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		handler string
		want    bool
	}{
		"as setup-qemu-action leaves it": {"enabled\ninterpreter /usr/bin/qemu-aarch64\nflags: POCF\noffset 0\n", true},
		"only in its own root":           {"enabled\ninterpreter /usr/bin/qemu-F\nflags: OC\noffset 0\n", false},
		"switched off":                   {"disabled\ninterpreter /usr/bin/qemu-aarch64\nflags: F\n", false},
		"no flags":                       {"enabled\n", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := emulates(test.handler); got != test.want {
				t.Errorf("emulates = %v, want %v", got, test.want)
			}
		})
	}
}
