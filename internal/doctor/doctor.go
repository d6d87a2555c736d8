// Package doctor runs checks side by side, each within a time of its own, and
// says what came of them.
//
// It knows no check: what is looked at, and how, is for those who make a
// [Check]. It shows nothing either.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// State is how a check ended.
type State string

// The states. A warning is about what a deploy can do without; a problem would
// stop it.
const (
	OK         State = "ok"
	Warning    State = "warning"
	Problem    State = "problem"
	NotChecked State = "not checked"
)

// Row is what one check found.
type Row struct {
	Name    string `json:"check"`
	State   State  `json:"state"`
	Finding string `json:"finding,omitempty"` // in a few words
	Remedy  string `json:"remedy,omitempty"`  // the line that mends it; "" where nothing is wrong
}

// Check looks at one thing, or at several that are learnt together.
type Check struct {
	Name string

	// Run returns what it found. Its error is a row of its own: that the check
	// could not be made. It ends with its context.
	Run func(ctx context.Context) ([]Row, error)

	// Failed is the state of that row; "" is [Problem].
	Failed State
}

// grace is how much longer than its time a check may take to end, for one that
// ends with its context has the better explanation.
const grace = 500 * time.Millisecond

// Run runs all checks at the same time and returns their rows in the order of
// the checks. A check that has not ended within limit is one row that says so.
func Run(ctx context.Context, checks []Check, limit time.Duration) []Row {
	found := make([]chan []Row, len(checks))
	for i, c := range checks {
		found[i] = make(chan []Row, 1)
		go func() { found[i] <- c.rows(ctx, limit) }()
	}
	late, cancel := context.WithTimeout(ctx, limit+grace)
	defer cancel()
	var rows []Row
	for i, c := range checks {
		select {
		case more := <-found[i]:
			rows = append(rows, more...)
			continue
		default:
		}
		select {
		case more := <-found[i]:
			rows = append(rows, more...)
		case <-late.Done():
			rows = append(rows, c.silent(limit))
		}
	}
	return rows
}

func (c Check) rows(ctx context.Context, limit time.Duration) []Row {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	rows, err := c.Run(ctx)
	switch {
	case err == nil:
		return rows
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		return append(rows, c.silent(limit))
	}
	return append(rows, c.failure(err.Error()))
}

// silent is the row of a check that has not ended.
func (c Check) silent(limit time.Duration) Row {
	row := c.failure(fmt.Sprintf("no answer within %.0f s", limit.Seconds()))
	row.Remedy = "check the network, the proxy and the address"
	return row
}

func (c Check) failure(finding string) Row {
	row := Row{Name: c.Name, State: c.Failed, Finding: finding}
	if row.State == "" {
		row.State = Problem
	}
	return row
}

// Stops reports whether a row would stop a deploy.
func Stops(rows []Row) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.State == Problem })
}
