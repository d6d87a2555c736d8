package state_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/state"
)

// story makes the records of one app from lines "MINUTE OPERATION PARENT ENDS",
// where an operation takes one minute and ENDS is a status, or failed! for what
// failed and is destroyed now. The ID of a record is its operation and its
// minute; "-" is no parent.
func story(text string) []state.Record {
	var records []state.Record
	sequences := map[string]int{}
	for words := range strings.Lines(strings.TrimSpace(text)) {
		var (
			minute         int
			parent, status string
			r              = record("", "")
		)
		fmt.Sscan(words, &minute, &r.Operation, &parent, &status)
		sequences[r.Operation]++
		r.Sequence = sequences[r.Operation]
		r.ID = fmt.Sprintf("%s%d", r.Operation, minute)
		r.Parent = strings.TrimPrefix(parent, "-")
		r.Started = noon.Add(time.Duration(minute) * time.Minute)
		r.Status = state.Status(status)
		if r.Status != state.Running {
			r.Ended = r.Started.Add(time.Minute)
		}
		if status == "failed!" {
			r.Status = state.Destroyed
		}
		if strings.HasPrefix(status, "failed") || status == "interrupted" {
			r.Message = "no such image"
		}
		records = append(records, r)
	}
	slices.Reverse(records)
	return records
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	minutes := func(of, value int) state.Median {
		return state.Median{Of: of, Value: time.Duration(value) * time.Minute}
	}
	for name, c := range map[string]struct {
		records string
		since   int // minute; 0 for the beginning
		want    state.Measures
	}{
		"changes that went well": {
			records: `
			0  build   -        succeeded
			2  deploy  build0   destroyed
			4  release deploy2  succeeded
			10 build   -        succeeded
			15 deploy  build10  succeeded
			18 release deploy15 succeeded`,
			want: state.Measures{Deployments: 2, LeadTime: minutes(2, 7), Attempts: 2},
		},
		"only what ended since": {
			since: 10, records: `
			0  build   -        succeeded
			2  deploy  build0   failed
			4  release -        succeeded
			11 build   -        succeeded
			15 release build11  succeeded`,
			want: state.Measures{Deployments: 1, LeadTime: minutes(1, 5), Attempts: 1},
		},
		"a deploy that failed until the next one": {
			records: `
			0  build   -        succeeded
			1  deploy  build0   failed!
			5  build   -        succeeded
			6  deploy  build5   failed
			10 build   -        succeeded
			11 deploy  build10  succeeded
			12 release deploy11 succeeded`,
			want: state.Measures{Deployments: 1, LeadTime: minutes(1, 3), Attempts: 3, Failures: 2, TimeToRestore: minutes(1, 11)},
		},
		"a change that was taken back": {
			records: `
			0  build   -        succeeded
			1  deploy  build0   succeeded
			2  release deploy1  succeeded
			10 build   -        succeeded
			11 deploy  build10  succeeded
			12 release deploy11 succeeded
			20 deploy  build0   succeeded
			21 release deploy20 succeeded`,
			want: state.Measures{Deployments: 3, LeadTime: minutes(2, 3), Attempts: 2, Failures: 1, TimeToRestore: minutes(1, 9)},
		},
		"a release that failed, and going back to what was there": {
			records: `
			0  build   -        succeeded
			2  release build0   succeeded
			10 build   -        succeeded
			12 release build10  failed
			15 release build0   succeeded`,
			want: state.Measures{Deployments: 2, LeadTime: minutes(1, 3), Attempts: 2, Failures: 1, TimeToRestore: minutes(1, 3)},
		},
		"the same again is no change": {
			records: `
			0  build   -        succeeded
			2  release build0   succeeded
			5  release build0   succeeded`,
			want: state.Measures{Deployments: 2, LeadTime: minutes(1, 3), Attempts: 1},
		},
		"a failure that lasts": {
			records: `
			0  build   -        succeeded
			2  release build0   failed`,
			want: state.Measures{Attempts: 1, Failures: 1, Unrestored: true},
		},
		"what did not end": {
			records: `
			0  build   -        failed
			2  deploy  build0   interrupted
			4  release build0   running`,
			want: state.Measures{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			until := noon.Add(time.Hour)
			var since time.Time
			c.want.From = noon
			if c.since > 0 {
				since = noon.Add(time.Duration(c.since) * time.Minute)
				c.want.From = since
			}
			c.want.App, c.want.Workspace, c.want.Until = "web", "production", until
			if diff := cmp.Diff([]state.Measures{c.want}, state.Measure(story(c.records), since, until)); diff != "" {
				t.Errorf("measures (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMeasureEachPlaceByItself(t *testing.T) {
	t.Parallel()
	records := story("0 build - succeeded\n2 release build0 succeeded")
	there := slices.Clone(records)
	for i := range there {
		there[i].Workspace, there[i].ID, there[i].Parent = "a", "x"+there[i].ID, "" // from another workspace's file
	}
	got := state.Measure(slices.Concat(records, there), time.Time{}, noon.Add(48*time.Hour))
	if len(got) != 2 || got[0].Workspace != "a" || got[1].Workspace != "production" || got[0].Deployments != 1 {
		t.Errorf("Measure = %+v, want one for each workspace, by name", got)
	}
	if got[1].PerDay() != 0.5 || got[1].FailureRate() != 0 {
		t.Errorf("two days with one release have %v a day and rate %v", got[1].PerDay(), got[1].FailureRate())
	}
	if short := state.Measure(records, time.Time{}, noon.Add(time.Hour))[0].PerDay(); short != 1 {
		t.Errorf("an hour with one release has %v a day, want 1", short)
	}
}

func TestMeasureKnowsWhatWasTrimmed(t *testing.T) {
	t.Parallel()
	records := story("30 build - succeeded\n32 release build30 succeeded")
	long := noon.Add(-24 * time.Hour)
	if got := state.Measure(records, long, noon.Add(time.Hour))[0].From; !got.Equal(long) {
		t.Errorf("From = %v, want the time asked for, for the app is new", got)
	}
	for i := range records {
		records[i].Sequence += 7
	}
	if got, want := state.Measure(records, long, noon.Add(time.Hour))[0].From, noon.Add(30*time.Minute); !got.Equal(want) {
		t.Errorf("From = %v, want %v, where the records begin", got, want)
	}
}
