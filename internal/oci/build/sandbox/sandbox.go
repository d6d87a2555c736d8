// Package sandbox runs one command in an unpacked root folder, as a RUN
// instruction wants it: with the image's files as root, /proc, /dev, name
// resolution, mounts and a user of the image's, and with no way to what this
// process knows.
//
// How well that can be done depends on the machine. There are three rungs, and
// [Open] takes the best one that works when it is tried. The network is that of
// this process on all of them. What the command changes in the root stays
// there; to find that out is another package's work.
package sandbox

import (
	"fmt"
	"io"
	"syscall"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// Options says what a sandbox may use.
type Options struct {
	// Work is an existing folder for what the sandbox needs. It is empty again
	// after each Run.
	Work string

	// Own is a folder directly below "/" that holds all files of this program,
	// its executable among them, in a container of its own image. "" means that
	// there is none, and so no [Swap].
	//
	// With Swap, while Run runs, whatever was in "/" is elsewhere: only paths
	// below Own, open files and mount points of "/" are where they were. Roots,
	// Work and the sources of cache mounts have to be below Own there.
	Own string

	// Watched are small files, and folders of such, that no command may change:
	// those by which the job is given orders. With Swap, where commands can
	// reach them, Run puts them back and returns a problem.
	Watched []string

	// Hidden are small files with credentials of the job. With Swap they are
	// empty while a command runs. What does not exist is left out.
	Hidden []string

	Only Rung // the only one to try; 0 is all

	// Known is a sandbox that was opened here before, and says what works; nil
	// where that is to be tried.
	Known *Sandbox
}

// Rung is one way to run a command in a root.
type Rung int

// The rungs, from the best to the last resort.
const (
	// Mounts is for root: namespaces of its own for mounts, processes, IPC and
	// the host's name.
	Mounts Rung = iota + 1

	// UserNamespace is the same inside a user namespace that knows the users
	// that this process may map. Where no new /proc may be mounted, the command
	// sees the processes outside, and they are refused to it.
	UserNamespace

	// Swap needs no namespace: the root's entries are moved into "/" while the
	// command runs. It is for a container that holds nothing but this program.
	Swap
)

// String says how commands run, for the log.
func (r Rung) String() string {
	switch r {
	case Mounts:
		return "mount and process namespaces"
	case UserNamespace:
		return "a user namespace"
	case Swap:
		return "this container's own root folder"
	}
	return "no sandbox"
}

// Sandbox runs commands. It is safe for concurrent use; two commands must not
// have the same root at a time. With [Swap] one runs after the other.
type Sandbox struct {
	options Options
	rung    Rung
	shared  bool // the command has no process namespace of its own
	refused []string
}

// Rung returns how commands run.
func (s *Sandbox) Rung() Rung { return s.rung }

// Refused says of every better rung why it does not work here.
func (s *Sandbox) Refused() []string { return s.refused }

// Command is what runs.
type Command struct {
	Root string // folder with the files of the image

	Args []string // the first is looked up in the PATH of Env
	Env  []string // all of its environment; HOME and PATH are added where missing

	Dir      string // of the image, made if it is missing; "" is "/"
	User     string // NAME, UID, NAME:GROUP or UID:GID as the image knows them; "" is root
	Hostname string // where the rung has one of its own; "" keeps the machine's
	Hosts    []Host // beside those of the machine

	Mounts []Mount
	Output io.Writer // both streams; nil discards

	// Ready, if not nil, is called once before anything in the root is touched,
	// and where it can be while the command's process starts. After an error of
	// it, which Run returns, nothing runs.
	Ready func() error

	// Moved, if not nil, is called for each entry of the root, by its path from
	// there, that Run had to move and the command left as it was: what tells
	// such files from changed ones is not their ctime. Only [Swap] moves.
	Moved func(name string)
}

// Host is a line of /etc/hosts.
type Host struct{ Name, IP string }

// Kind is what a [Mount] shows.
type Kind int

// The kinds of mounts.
const (
	// Bind shows Source, a file or folder, which never changes: what the
	// command writes to one that is not ReadOnly is gone afterwards.
	Bind Kind = iota + 1

	// Cache shows the folder Source, and keeps what the command writes there.
	Cache

	// Secret shows a file with Content, which is never on a disk where the rung
	// can mount.
	Secret

	// Tmpfs shows an empty folder.
	Tmpfs

	// Shared shows the folder Source at the same path, and keeps what the
	// command writes there. With [Swap] it is not moved: the entry of "/" that
	// it is in stays with all in it, and hides that of the image.
	Shared
)

// Mount is something that a command sees in its root and that is no part of it.
// What is missing of the path to Target is made, and removed afterwards.
type Mount struct {
	Kind     Kind
	Target   string // absolute path in the image; links in it are the image's
	Source   string // of Bind, Cache and Shared
	Content  secret.Text
	Mode     uint32 // of a Secret; 0 is 0400
	UID, GID int    // of a Secret
	ReadOnly bool
	Size     int64 // of a Tmpfs in bytes; 0 is the machine's default
}

// ExitError says that the command ran and did not succeed.
type ExitError struct {
	Code   int            // its exit status; 128 and the signal's number where one ended it
	Signal syscall.Signal // 0 where it ended by itself
}

// Error implements error.
func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("ended by signal %d (%s)", int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Verb is the first argument of this program when it is started to enter a
// sandbox: main calls [Helper] with what follows it, before anything else.
const Verb = "sandbox-helper"
