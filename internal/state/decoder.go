package state

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"
)

// batchSize is how many records are worth handing to another processor.
const batchSize = 100

// batch is some lines of a file, and the records in them.
type batch struct {
	lines   [][]byte
	records []Record
	err     error // of the first line that is no good
}

// decodeRecords reads one record from each line, to the end of source. Whoever
// looks at a state waits for this, so every processor decodes records while
// those behind them are still being unzipped.
func decodeRecords(source *bufio.Reader) ([]Record, error) {
	var batches []*batch
	work := make(chan *batch)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for b := range work {
				b.decode()
			}
		})
	}
	err := readBatches(source, func(b *batch) {
		batches = append(batches, b)
		work <- b
	})
	close(work)
	workers.Wait()
	records := make([]Record, 0, len(batches)*batchSize)
	for i, b := range batches {
		if err == nil && b.err != nil {
			err = fmt.Errorf("record %d: %w", i*batchSize+len(b.records)+1, b.err)
		}
		records = append(records, b.records...)
	}
	if err != nil {
		return nil, err
	}
	return records, nil
}

// readBatches hands on the lines of source, to its end.
func readBatches(source *bufio.Reader, handOn func(*batch)) error {
	b := &batch{}
	for {
		line, err := source.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			handOn(b)
			return nil
		case errors.Is(err, io.EOF):
			return errNoEnd
		case err != nil:
			return err
		}
		b.lines = append(b.lines, line)
		if len(b.lines) == batchSize {
			handOn(b)
			b = &batch{}
		}
	}
}

// decode reads the lines of b, up to the first that is no good.
func (b *batch) decode() {
	b.records = make([]Record, 0, len(b.lines))
	for _, line := range b.lines {
		r, err := decodeRecord(line)
		if err != nil {
			b.err = err
			return
		}
		b.records = append(b.records, r)
	}
}

// decodeRecord returns the record of a line, in this schema or an older one.
func decodeRecord(line []byte) (Record, error) {
	r, ok := decodeKnown(line)
	var err error
	if !ok {
		err = json.Unmarshal(line, &r)
	}
	if err == nil && r.Check() == nil && 1 <= r.Schema && r.Schema <= Schema {
		return r, nil
	}
	if newer := newerSchema(line); newer != nil {
		return Record{}, newer
	}
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return Record{}, fmt.Errorf("%w: a record has ID %q, status %q and schema %d", ErrDamaged, r.ID, r.Status, r.Schema)
}

// decodeKnown returns the record of a line that has nothing but fields of ours, as
// nearly all have, in one pass and in about half the time that encoding/json
// takes. Where ok is false, anything about the line is out of the ordinary.
func decodeKnown(line []byte) (r Record, ok bool) {
	type (
		Fields Record
		origin Origin
	)
	var read struct {
		Fields
		Origin origin `json:"origin"` // in front of that of Fields, whose methods would parse it on its own
	}
	if jsonv2.Unmarshal(line, &read, jsonv2.RejectUnknownMembers(true)) != nil {
		return Record{}, false
	}
	r = Record(read.Fields)
	r.Origin = Origin(read.Origin)
	return r, true
}
