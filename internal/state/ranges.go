package state

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
)

// Ranges are the records that were trimmed, in as few bytes as will do: some
// ten for all four operations of an up. While they are known, no older copy
// brings one of the records back.
//
// A sequence alone would not tell a trimmed record from another one of the same
// sequence, which two runs can make where the lock is off. So each sequence has
// a mark of its record's ID beside it. Two such records have the same mark once
// in a million times.
//
// Equal sets of records have equal Ranges, whatever order they met in.
type Ranges []Range

// Range is records of one operation whose sequences follow one another.
type Range struct {
	Project   string `json:"project"`
	App       string `json:"app"`
	Workspace string `json:"workspace"`
	Operation string `json:"operation"`
	First     int    `json:"first"` // sequence
	Marks     string `json:"marks"` // of First and of each sequence after it
}

// markLength is how many characters a mark has, five bits to each.
const markLength = 4

// markEncoding keeps five bits of a mark in each character.
var markEncoding = base32.NewEncoding(digits).WithPadding(base32.NoPadding)

// markOf returns the mark of a record's ID.
func markOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return markEncoding.EncodeToString(sum[:3])[:markLength]
}

// Has reports whether r was trimmed.
func (x Ranges) Has(r Record) bool {
	return slices.ContainsFunc(x, func(one Range) bool { return one.has(r) })
}

func (x Range) has(r Record) bool {
	at := r.Sequence - x.First
	return at >= 0 && at < x.len() && x.series() == seriesOf(r) && x.mark(at) == markOf(r.ID)
}

func (x Range) series() series { return series{x.Project, x.App, x.Workspace, x.Operation} }

func (x Range) len() int { return len(x.Marks) / markLength }

func (x Range) mark(at int) string { return x.Marks[at*markLength : (at+1)*markLength] }

// Merge is the function of that name, without the records that were trimmed.
func (x Ranges) Merge(copies ...[]Record) []Record {
	merged := Merge(copies...)
	if len(x) == 0 {
		return merged
	}
	return slices.DeleteFunc(merged, x.Has)
}

// Union returns what was trimmed in x or in y.
func (x Ranges) Union(y Ranges) Ranges {
	if len(y) == 0 {
		return x
	}
	var all []mark
	for _, one := range slices.Concat(x, y) {
		for at := range one.len() {
			all = append(all, mark{one.series(), one.First + at, one.mark(at)})
		}
	}
	return join(all)
}

// rangesOf returns the ranges that have exactly these records.
func rangesOf(records []Record) Ranges {
	marks := make([]mark, len(records))
	for i, r := range records {
		marks[i] = mark{seriesOf(r), r.Sequence, markOf(r.ID)}
	}
	return join(marks)
}

// mark is one trimmed record.
type mark struct {
	series
	sequence int
	text     string
}

func compareMarks(a, b mark) int {
	return cmp.Or(
		strings.Compare(a.project, b.project), strings.Compare(a.app, b.app),
		strings.Compare(a.workspace, b.workspace), strings.Compare(a.operation, b.operation),
		cmp.Compare(a.sequence, b.sequence), strings.Compare(a.text, b.text),
	)
}

// join makes ranges of marks: long ones of the first mark of each sequence, and
// one for each mark that shares its sequence with an earlier one.
func join(marks []mark) Ranges {
	slices.SortFunc(marks, compareMarks)
	marks = slices.Compact(marks)
	var first, again []mark
	for i, m := range marks {
		if i > 0 && m.series == marks[i-1].series && m.sequence == marks[i-1].sequence {
			again = append(again, m)
		} else {
			first = append(first, m)
		}
	}
	var ranges Ranges
	for start, end := 0, 0; start < len(first); start = end {
		end = start + 1
		for end < len(first) && first[end].follows(first[end-1]) {
			end++
		}
		ranges = append(ranges, rangeOf(first[start:end]))
	}
	for _, m := range again {
		ranges = append(ranges, rangeOf([]mark{m}))
	}
	return ranges
}

// follows reports whether m goes on where before ends.
func (m mark) follows(before mark) bool {
	return m.series == before.series && m.sequence == before.sequence+1
}

// rangeOf returns the range of marks that follow one another.
func rangeOf(marks []mark) Range {
	var text strings.Builder
	for _, m := range marks {
		text.WriteString(m.text)
	}
	s := marks[0].series
	return Range{s.project, s.app, s.workspace, s.operation, marks[0].sequence, text.String()}
}
