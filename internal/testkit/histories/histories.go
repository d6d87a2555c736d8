// Package histories has runs of one repository deploy at the same time, over a
// bad line, in random ways, and checks that package runstore loses nothing of
// what they did: no record of a finished operation is lost, no deployment ID is
// given twice, no sequence while a lock is in force, and an older copy changes
// nothing.
//
// In some histories artifacts expire, are deleted, or all of them are: then
// GitHub's Deployments have to tell what was deployed and what serves.
//
// It knows GitHub by an interface, so that any stand-in for it can be tried.
package histories

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// GitHub is what a history needs of a GitHub with one repository: an address,
// and the ways to make happen there what no client of its API can. It is safe for
// concurrent use.
type GitHub interface {
	// RoundTrip carries requests there. A history spoils them, and answers, on
	// its own side of it. Where it uses sockets it keeps none open: the clock of
	// a history stands still while somebody reads from one.
	http.RoundTripper

	// URL is the base of the API, and of the artifact service.
	URL() string

	// Allow makes a token known, with all that it may do, such as "deployments:
	// write".
	Allow(token string, permissions []string)

	// Run makes an attempt of a run on the default branch known, or says that it
	// has ended. It is asked for with growing attempts.
	Run(id int64, attempt int, ended bool)

	// Runtime returns the token of a run for the artifact service.
	Runtime(run int64) string

	// Artifacts returns the IDs of the artifacts that were neither deleted nor
	// have expired, oldest first.
	Artifacts() []int64

	// Expire ends the time of an artifact: lists show it, and it has no content.
	Expire(artifact int64)

	// Delete deletes an artifact.
	Delete(artifact int64)

	// Violations returns what requests have asked for in a way that GitHub does
	// not take.
	Violations() []string
}

// Setup is how a history wants its GitHub: empty, and without rate limits.
type Setup struct {
	Repository string           // owner/name
	Now        func() time.Time // the clock of the history, which jumps
	Lag        time.Duration    // until lists of artifacts show a change
}

// Options says which histories to play.
type Options struct {
	Worlds int    // how many
	Seed   uint64 // of the first; the next one has the next

	// New makes the GitHub of one history.
	New func(t *testing.T, s Setup) GitHub
}

// Play plays histories one after another, each as a test that its seed names.
func Play(t *testing.T, o Options) {
	t.Logf("%d histories from -seed=%d", o.Worlds, o.Seed)
	for n := range o.Worlds {
		seed := o.Seed + uint64(n)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, o, seed).play() })
		})
	}
}
