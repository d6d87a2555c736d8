package report_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// writer is a run that writes the comment. It stops before each request and
// before each look at what is true, until it is its turn.
type writer struct {
	app  string
	asks chan struct{} // closed at its end
	turn chan struct{}
	err  error
}

func (w *writer) wait() {
	w.asks <- struct{}{}
	<-w.turn
}

// truth is how the previews stand; one writer at a time looks at it.
type truth map[string]string

func (tr truth) text() string {
	var content report.Content
	content.Project = "shop"
	for _, app := range slices.Sorted(maps.Keys(tr)) {
		content.Previews = append(content.Previews, report.Preview{App: app, Status: tr[app]})
	}
	return report.Comment(content)
}

// run deploys: it changes what is true, and writes the comment, twice.
func (w *writer) run(t *testing.T, fake *githubfake.Fake, facts truth) {
	defer close(w.asks)
	client := clientOf(t, transport(func(r *http.Request) (*http.Response, error) {
		w.wait()
		return fake.RoundTrip(r)
	}))
	sticky := report.Sticky{Client: client, Number: 7, Project: "shop", Render: func(context.Context) (string, error) {
		w.wait()
		return facts.text(), nil
	}}
	for _, status := range []string{"deploying", "ready"} {
		w.wait()
		facts[w.app] = status
		if w.err = sticky.Write(t.Context(), true); w.err != nil {
			return
		}
	}
}

// However the requests of two runs mix, one comment is left, and it is right.
func TestStickyOfTwoWriters(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		chance := rand.New(rand.NewPCG(seed, 0))
		fake, _ := commented(t)
		if seed%3 == 0 {
			fake.AddComment(7, "github-actions[bot]", says("of an earlier run"))
		}
		facts := truth{}
		writers := []*writer{{app: "api"}, {app: "web"}}
		for _, w := range writers {
			w.asks, w.turn = make(chan struct{}), make(chan struct{})
			go w.run(t, fake, facts)
			<-w.asks
		}
		// Runs of the same writer are long or short, by chance.
		for active, stay := slices.Clone(writers), chance.Float64(); len(active) > 0; {
			w := active[chance.IntN(len(active))]
			for going := true; going && w != nil; going = chance.Float64() < stay {
				w.turn <- struct{}{}
				if _, more := <-w.asks; !more {
					active = slices.DeleteFunc(active, func(other *writer) bool { return other == w })
					w = nil
				}
			}
		}
		for _, w := range writers {
			if w.err != nil {
				t.Fatalf("seed %d: %s: %v", seed, w.app, w.err)
			}
		}
		if got := fake.Comments(); len(got) != 1 || got[0].Body != facts.text() {
			t.Fatalf("seed %d: the comments are %s, want one:\n%s", seed, fmt.Sprint(got), facts.text())
		}
	}
}
