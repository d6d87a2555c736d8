package state

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
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
			decoder := &recordDecoder{}
			for b := range work {
				b.decode(decoder)
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
func (b *batch) decode(decoder *recordDecoder) {
	b.records = make([]Record, 0, len(b.lines))
	for _, line := range b.lines {
		r, err := decoder.record(line)
		if err != nil {
			b.err = err
			return
		}
		b.records = append(b.records, r)
	}
}

// recordDecoder reads the lines of records. Those that have nothing but fields
// of ours, as nearly all have, take one pass: the origin with the rest, and with
// the same buffers for every line. Each goroutine needs one of its own.
type recordDecoder struct {
	input bytes.Reader
	json  *json.Decoder // nil before the first line, and after one that it could not read
	given int64         // bytes that json was given
}

// record returns the record of a line, in this schema or an older one.
func (d *recordDecoder) record(line []byte) (Record, error) {
	r, ok := d.known(line)
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

// known returns the record of a line; ok is false where anything about the line
// is out of the ordinary.
func (d *recordDecoder) known(line []byte) (r Record, ok bool) {
	type (
		fields Record
		origin Origin
	)
	var read struct {
		fields
		Origin origin `json:"origin"` // in front of that of fields, whose methods would parse it on its own
	}
	if d.json == nil {
		d.json, d.given = json.NewDecoder(&d.input), 0
		d.json.DisallowUnknownFields()
	}
	d.input.Reset(line)
	err := d.json.Decode(&read)
	behind := line[min(int64(len(line)), max(0, d.json.InputOffset()-d.given)):]
	d.given += int64(len(line))
	if err != nil || len(bytes.Trim(behind, " \t\r\n")) > 0 {
		d.json = nil
		return Record{}, false
	}
	r = Record(read.fields)
	r.Origin = Origin(read.Origin)
	return r, true
}
