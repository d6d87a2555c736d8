package docker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/container"
)

// TestSteadyContainerServes shows what is made of a container to which there is
// no way from here, or whose port nobody asks for.
func TestSteadyContainerServes(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		port   int
		closed bool // the port was reached before
		want   bool
	}{
		"no port":          {port: 0, want: true},
		"unseen port":      {port: 3000, want: true},
		"seen closed once": {port: 3000, closed: true, want: false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := wait{platform: &platform{engine: &engine{}}, step: quiet{}, port: c.port, closed: c.closed, began: time.Now()}
				running := &container.InspectResponse{
					State:           &container.State{Status: container.StateRunning, Running: true},
					NetworkSettings: &container.NetworkSettings{},
				}
				if done, err := w.look(t.Context(), running); done || err != nil {
					t.Errorf("look() at once = %t, %v, want to wait", done, err)
				}
				time.Sleep(steadyTime) // in a bubble, where it takes none
				if done, err := w.look(t.Context(), running); done != c.want || err != nil {
					t.Errorf("look() after %s = %t, %v, want %t", steadyTime, done, err, c.want)
				}
			})
		})
	}
}

func TestStalledContainer(t *testing.T) {
	t.Parallel()
	silent, unchecked := wait{port: 8080}, wait{port: 8080, checking: true}
	wantProblem(t, silent.stalled(), "Container does not serve", "service_port", "nothing listened at port 8080")
	wantProblem(t, unchecked.stalled(), "Container is not healthy", "", "neither passed nor failed")
}
