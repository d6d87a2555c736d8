// Package state records what operations did.
//
// It defines records, how two copies of one are merged, how they are written
// to a file and to the journal, and the [Store] that keeps them. Where they are
// kept is the business of the packages below it; what they mean is the
// engine's.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"
)

// Schema is the newest schema of a [Record]. Writers write it; readers accept
// it and every older one.
const Schema = 1

// ErrNotFound means that no record answers the question.
var ErrNotFound = errors.New("no such record")

// Record is the durable outcome of one operation of one attempt. It only moves
// up through its statuses, so of two copies the one further along is the truth.
type Record struct {
	Schema     int               `json:"schema"` // of this struct; readers accept every older one
	ID         string            `json:"id"`
	Operation  string            `json:"operation"` // build, push, deploy, release; hold for a person's lock
	Status     Status            `json:"status"`
	Project    string            `json:"project"`
	App        string            `json:"app"`
	Workspace  string            `json:"workspace"`
	Labels     map[string]string `json:"labels,omitempty"`
	Plugin     string            `json:"plugin"`
	Config     json.RawMessage   `json:"config,omitempty"`     // the evaluated use block without secrets: opens the plugin again
	Sequence   int               `json:"sequence"`             // counts per app, workspace and operation
	Deployment string            `json:"deployment,omitempty"` // the ID given to Deploy; several records may share it
	Digest     string            `json:"digest,omitempty"`
	URL        string            `json:"url,omitempty"`
	Parent     string            `json:"parent,omitempty"` // ID of the record it worked from
	Result     json.RawMessage   `json:"result,omitempty"` // artifact, deployment or release
	Message    string            `json:"message,omitempty"`
	Origin     Origin            `json:"origin"`
	Started    time.Time         `json:"started"`
	Ended      time.Time         `json:"ended,omitzero"`

	// Unknown is the JSON members that a newer version wrote and this one has
	// no field for, without their braces. They are written back, so whoever
	// updates a record starts from the copy that was read.
	Unknown string `json:"-"`
}

// Origin says who made a record, from what, and why.
type Origin struct {
	Commit          string `json:"commit,omitempty"`
	Ref             string `json:"ref,omitempty"`
	Event           string `json:"event,omitempty"`
	Workflow        string `json:"workflow,omitempty"` // path@commit
	Run             int64  `json:"run,omitempty"`      // 0 off a runner
	Attempt         int    `json:"attempt,omitempty"`
	Job             string `json:"job,omitempty"`
	Actor           string `json:"actor,omitempty"`
	TriggeringActor string `json:"triggering_actor,omitempty"`
	Reason          string `json:"reason,omitempty"`
	Version         string `json:"version,omitempty"`     // of this program
	Binary          string `json:"binary,omitempty"`      // its digest
	ConfigHash      string `json:"config_hash,omitempty"` // keyed, of the evaluated configuration

	Unknown string `json:"-"` // as in Record
}

// Status is how far an operation got.
type Status string

// The statuses, in the order in which a record moves.
const (
	Running     Status = "running"
	Interrupted Status = "interrupted"
	Failed      Status = "failed" // Result tells what was left behind
	Succeeded   Status = "succeeded"
	Destroyed   Status = "destroyed"
)

// Store keeps records.
type Store interface {
	// Put writes r, merging it with the record of the same ID as [Merge] does.
	// When it returns nil the record survives this process. Before a deploy it
	// also leaves the intent where it survives the machine, if the store can.
	//
	// An error that is a [*SecretError] means that a secret was masked in r;
	// the record is kept all the same. After any other error it is not.
	Put(ctx context.Context, r Record) error

	// List yields the records that match q, newest first.
	List(ctx context.Context, q Query) iter.Seq2[Record, error]

	// Lock makes this run the only writer of an app in a workspace. It waits
	// until ctx ends, and calls waiting with the holder when it begins to and
	// whenever the holder changes. A nil waiting is told nothing. A second
	// unlock does nothing.
	Lock(ctx context.Context, project, app, workspace string, waiting func(holder string)) (unlock func(context.Context) error, err error)

	// Flush makes every record outlive the machine. It is called at the end of
	// a step, and again by the post step from another process.
	Flush(ctx context.Context) error
}

// Query selects records. Zero fields select everything.
type Query struct {
	ID, Project, App, Workspace, Operation, Deployment string
	Status                                             Status
	Commit                                             string

	// Known asks for what this process has read before, where it has: others
	// may have written since. It selects nothing.
	Known bool

	// Early says that another question follows before anything reaches users. A
	// store whose lock is best effort may then look for deploys alone that others
	// have begun since.
	Early bool
}

// Match reports whether r is one of the records that q selects.
func Match(q Query, r Record) bool {
	wants := func(want, is string) bool { return want == "" || want == is }
	return wants(q.ID, r.ID) &&
		wants(q.Project, r.Project) &&
		wants(q.App, r.App) &&
		wants(q.Workspace, r.Workspace) &&
		wants(q.Operation, r.Operation) &&
		wants(q.Deployment, r.Deployment) &&
		wants(string(q.Status), string(r.Status)) &&
		wants(q.Commit, r.Origin.Commit)
}

// Latest returns the newest record that matches q, or [ErrNotFound].
func Latest(ctx context.Context, s Store, q Query) (Record, error) {
	for r, err := range s.List(ctx, q) {
		return r, err
	}
	return Record{}, ErrNotFound
}
