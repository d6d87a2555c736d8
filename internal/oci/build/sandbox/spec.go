package sandbox

import (
	"cmp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// spec is what an entering process reads: a [Command] with all that it needs
// from outside. It goes through a pipe, since it can hold secrets.
type spec struct {
	Rung   Rung
	Shared bool // /proc is bound from outside
	Probe  bool // stop before the command

	Root, Work string
	Args, Env  []string
	Dir, User  string
	OneUser    bool // nobody but root exists
	Hostname   string
	Files      []file // of /etc, bound over those of the root
	Mounts     []mount
}

// file is a file that the sandbox shows and the root does not have.
type file struct {
	Target   string
	Content  string
	Mode     uint32
	UID, GID int
	ReadOnly bool
}

// mount is a [Mount] of the kinds that need no content.
type mount struct {
	Kind           Kind
	Target, Source string
	ReadOnly       bool
	Size           int64
	Secret         *file
}

// report is what the processes of a run say, one after the other.
type report struct {
	Made    []stub `json:",omitempty"`
	Started bool   `json:",omitempty"` // what comes next is the command

	// Summary and Detail are a problem of the user's; Error is any other reason
	// why the command did not start.
	Summary, Detail, Error string `json:",omitempty"`

	Ended  bool           `json:",omitempty"` // the command did, under supervision
	Code   int            `json:",omitempty"`
	Signal syscall.Signal `json:",omitempty"`
}

// stub is a folder or an empty file that was made in the root to mount on. Its
// folder's time of change tells whether the command made something beside it.
type stub struct {
	Path          string    // from the root, without links
	Before, After time.Time // of its folder
}

// The descriptors that a helper gets beside the usual three.
const (
	specFD   = 3 // it reads its spec; hung up when we are gone
	reportFD = 4 // it writes reports
	undoFD   = 5 // a supervisor reads an undo, on the rung Swap
)

// newMounts returns the mounts of a command, outer ones first.
func newMounts(mounts []Mount) []mount {
	var all []mount
	for _, m := range mounts {
		wire := mount{Kind: m.Kind, Target: m.Target, Source: m.Source, ReadOnly: m.ReadOnly, Size: m.Size}
		if m.Kind == Secret {
			wire.Secret = &file{
				Target: m.Target, Mode: cmp.Or(m.Mode, 0o400), UID: m.UID, GID: m.GID, ReadOnly: true,
				Content: m.Content.Reveal(), // written to the pipe of the helper, which shows it to the command
			}
		}
		all = append(all, wire)
	}
	slices.SortStableFunc(all, func(a, b mount) int { return cmp.Compare(depth(a.Target), depth(b.Target)) })
	return all
}

func depth(target string) int { return strings.Count(strings.TrimRight(target, "/"), "/") }

// problem returns the failure that a report tells of, or nil.
func (r report) problem() *diag.Problem {
	if r.Summary == "" {
		return nil
	}
	return &diag.Problem{Summary: r.Summary, Detail: r.Detail}
}
