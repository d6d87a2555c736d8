package histories

import (
	"math/rand/v2"
	"time"
)

// losses is how a history loses artifacts.
type losses struct {
	single int  // times that one artifact is lost
	all    int  // times that all are
	rest   bool // two pauses, after which what was not uploaded again has expired
	renew  bool // between the pauses somebody reads the state
}

// any reports whether records may have no copy left.
func (l losses) any() bool { return l.single+l.all > 0 || l.rest && !l.renew }

// pause is more than half of the time that artifacts are kept, and less than
// all of it.
const pause = 60 * 24 * time.Hour

// randomLosses spares half of the histories.
func randomLosses(random *rand.Rand) losses {
	l := losses{rest: random.IntN(4) == 0, renew: random.IntN(2) == 0}
	switch random.IntN(4) {
	case 0:
		l.single = 1 + random.IntN(6)
	case 1:
		l.all, l.single = 1, random.IntN(4)
	}
	return l
}

// lose loses artifacts while the runs live.
func (w *world) lose() {
	random := rand.New(rand.NewPCG(w.seed, 1<<32))
	left := w.losses
	for left.single+left.all > 0 {
		w.sleep(time.Duration(random.IntN(400)) * time.Second)
		artifacts := w.hub.Artifacts()
		switch {
		case random.IntN(left.single+left.all) < left.all:
			left.all--
		default:
			left.single--
			if len(artifacts) > 0 {
				at := random.IntN(len(artifacts))
				artifacts = artifacts[at : at+1]
			}
		}
		for _, id := range artifacts {
			if random.IntN(2) == 0 {
				w.hub.Expire(id)
			} else {
				w.hub.Delete(id)
			}
		}
	}
}

// rest lets months pass without a deploy. What is to last until somebody reads
// it then was put together before by a run that had it all.
func (w *world) rest() {
	if !w.losses.rest {
		return
	}
	w.sleep(w.lag)
	for run := range int64(2) {
		if w.losses.renew {
			w.renew(90 + run)
		}
		w.sleep(pause)
	}
}

// renew is a run on a good line that reads, and uploads again what is old.
func (w *world) renew(run int64) {
	w.hub.Run(run, 1, false)
	s := w.job(run, 1).step(w.hub)
	defer s.Close()
	for _, app := range apps {
		w.list(s, app)
	}
	s.Renew(w.t.Context())
	w.hub.Run(run, 1, true)
}
