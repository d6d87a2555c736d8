package state

import (
	"bytes"
	"encoding/json"
	"fmt"
)

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
