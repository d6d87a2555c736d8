package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// ranks orders the statuses. A status that is not in it is none.
var ranks = map[Status]int{
	Running:     1,
	Interrupted: 2,
	Failed:      3,
	Succeeded:   4,
	Destroyed:   5,
}

// Merge returns the union of copies, newest first by start and then by ID. Of
// several copies of a record it takes the one with the highest status, then
// the latest end, then the greatest JSON. So the order in which copies meet
// makes no difference, and a writer who lost a race lost nothing.
//
// An update that changes neither Status nor Ended is therefore not certain to
// win over the copy that it came from.
func Merge(copies ...[]Record) []Record {
	best := map[string]Record{}
	for _, records := range copies {
		for _, r := range records {
			keepBest(best, r)
		}
	}
	return newestFirst(best)
}

// keepBest puts r into records unless a better copy is there.
func keepBest(records map[string]Record, r Record) {
	if present, ok := records[r.ID]; !ok || compareCopies(r, present) > 0 {
		records[r.ID] = r
	}
}

// compareCopies is positive where a is the better copy of one record.
func compareCopies(a, b Record) int {
	if order := cmp.Or(cmp.Compare(ranks[a.Status], ranks[b.Status]), a.Ended.Compare(b.Ended)); order != 0 {
		return order
	}
	// Most copies are equal, and encoding is dear.
	if reflect.DeepEqual(a, b) {
		return 0
	}
	return bytes.Compare(encodingOf(a), encodingOf(b))
}

// encodingOf returns the JSON of r, or nil where it has none: such a record
// cannot be written, so it loses.
func encodingOf(r Record) []byte {
	encoded, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	return encoded
}

// newestFirst returns records in the order in which a [Store] lists them.
func newestFirst(records map[string]Record) []Record {
	sorted := make([]Record, 0, len(records))
	for _, r := range records {
		sorted = append(sorted, r)
	}
	slices.SortFunc(sorted, func(a, b Record) int {
		return cmp.Or(b.Started.Compare(a.Started), strings.Compare(b.ID, a.ID))
	})
	return sorted
}
