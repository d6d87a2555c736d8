package state

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// The ways in which a file can be no good, besides [NewerSchemaError].
var (
	// ErrTruncated means that the file ends before its records do.
	ErrTruncated = errors.New("the file ends too early")

	// ErrNotState means that the file was never written by this program.
	ErrNotState = errors.New("the file holds no state of deploy-action")

	// ErrDamaged means that the file was ours and was changed.
	ErrDamaged = errors.New("the file is damaged")
)

// NewerSchemaError says that a file or record was written by a version of this
// program that is newer than this one.
type NewerSchemaError struct {
	Found int // the schema that was met; [Schema] is the newest one known
}

// Error implements error.
func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("its schema %d was written by a newer version, and this version reads schemas up to %d: "+
		"use the version that wrote it, or a newer one", e.Found, Schema)
}

// maxState is what a file may hold at most, so that one that was made to
// exhaust memory is refused. A record has about one kilobyte.
const maxState = 64 << 20

// Header is the first line of a state file.
type Header struct {
	Schema int     // as read; Encode writes the newest
	Path   string  // of waypoint.hcl, from the top of the repository
	Merged []int64 // IDs of the workflow artifacts that were merged into this one

	// Trimmed is what [Trim] took out of this file and of those that were
	// merged into it. Whoever merges copies does so with [Ranges.Merge].
	Trimmed Ranges

	Unknown string // members of a newer version, as in Record
}

// headerLine is the JSON of a [Header], and of the first line of a journal.
type headerLine struct {
	Kind    string  `json:"deploy-action"`
	Schema  int     `json:"schema"`
	Path    string  `json:"path,omitempty"`
	Merged  []int64 `json:"merged,omitempty"`
	Trimmed Ranges  `json:"trimmed,omitempty"`
	ID      string  `json:"id,omitempty"` // of a journal: changes when it is drained
}

// The kinds of file.
const (
	kindState   = "state"
	kindJournal = "journal"
)

// Encode writes a state file: gzip of JSON lines, the header first. Equal input
// gives equal bytes. It does not close w, and what it wrote before an error is
// no state file.
func Encode(w io.Writer, h Header, records []Record) error {
	zipped := gzip.NewWriter(w)
	line, err := encodeHeader(headerLine{Kind: kindState, Path: h.Path, Merged: h.Merged, Trimmed: h.Trimmed}, h.Unknown)
	if err != nil {
		return err
	}
	if _, err := zipped.Write(line); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	for _, r := range records {
		line, err := encodeRecord(r)
		if err != nil {
			return err
		}
		if _, err := zipped.Write(line); err != nil {
			return fmt.Errorf("writing state: %w", err)
		}
	}
	if err := zipped.Close(); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	return nil
}

// Decode reads what [Encode] wrote, in this or an older schema. It reads r to
// its end. Its error is, or wraps, [ErrTruncated], [ErrNotState], [ErrDamaged]
// or a [*NewerSchemaError], or it is r's own; then nothing that was read counts.
func Decode(r io.Reader) (Header, []Record, error) {
	h, records, err := decode(r)
	if err != nil {
		return Header{}, nil, fmt.Errorf("reading state: %w", classify(err))
	}
	return h, records, nil
}

func decode(r io.Reader) (Header, []Record, error) {
	source := bufio.NewReader(r)
	if magic, err := source.Peek(2); len(magic) > 0 && err == nil && string(magic) != "\x1f\x8b" {
		return Header{}, nil, ErrNotState
	}
	unzipped, err := gzip.NewReader(source)
	if err != nil {
		return Header{}, nil, err
	}
	unzipped.Multistream(false) // there is nothing behind the end of a file of ours
	h, records, err := decodeLines(unzipped)
	if err != nil {
		return Header{}, nil, err
	}
	if _, err := source.Peek(1); !errors.Is(err, io.EOF) {
		return Header{}, nil, cmp.Or(err, ErrDamaged)
	}
	return h, records, nil
}

func decodeLines(r io.Reader) (Header, []Record, error) {
	limited := &io.LimitedReader{R: r, N: maxState + 1}
	source := bufio.NewReader(limited)
	first, err := source.ReadBytes('\n')
	switch {
	case len(first) == 0 && errors.Is(err, io.EOF):
		return Header{}, nil, ErrNotState
	case err != nil && !errors.Is(err, io.EOF):
		return Header{}, nil, err
	}
	h, err := decodeHeader(kindState, bytes.TrimSuffix(first, []byte("\n")))
	if err != nil {
		return Header{}, nil, err
	}
	records, err := decodeRecords(source)
	switch {
	case limited.N == 0:
		return Header{}, nil, fmt.Errorf("%w: it holds more than %d MiB", ErrDamaged, maxState>>20)
	case err != nil:
		return Header{}, nil, err
	case !bytes.HasSuffix(first, []byte("\n")):
		return Header{}, nil, errNoEnd
	}
	return h, records, nil
}

// errNoEnd means that a file was cut where a line would have gone on.
var errNoEnd = fmt.Errorf("%w: its last line has no end", ErrDamaged)

// classify replaces what the layers below say of a bad file by our own words.
func classify(err error) error {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrTruncated
	case corrupt, errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// encodeHeader returns a first line in the newest schema.
func encodeHeader(line headerLine, unknown string) ([]byte, error) {
	line.Schema = Schema
	encoded, err := marshalKeeping(line, unknown)
	if err != nil {
		return nil, fmt.Errorf("encoding header: %w", err)
	}
	return append(encoded, '\n'), nil
}

func decodeHeader(kind string, line []byte) (Header, error) {
	var read headerLine
	unknown, err := unmarshalKeeping(line, &read)
	if read.Kind != kind {
		return Header{}, ErrNotState
	}
	if newer := newerSchema(line); newer != nil {
		return Header{}, newer
	}
	if err != nil || read.Schema < 1 {
		return Header{}, ErrNotState
	}
	return Header{Schema: read.Schema, Path: read.Path, Merged: read.Merged, Trimmed: read.Trimmed, Unknown: unknown}, nil
}

// newerSchema returns an error where a line says that it has a schema newer
// than ours, even if nothing else in it has the types that we expect.
func newerSchema(line []byte) error {
	var read struct {
		Schema int `json:"schema"`
	}
	if json.Unmarshal(line, &read) != nil || read.Schema <= Schema {
		return nil
	}
	return &NewerSchemaError{Found: read.Schema}
}

// Check returns an error if r has no ID or no known status. Such a record is
// never written, because nobody would read it.
func (r Record) Check() error {
	if r.ID == "" || ranks[r.Status] == 0 {
		return fmt.Errorf("record with ID %q and status %q: a record needs an ID and a known status", r.ID, r.Status)
	}
	return nil
}

// encodeRecord returns the line of r, in the newest schema. It refuses what
// decodeRecord would refuse.
func encodeRecord(r Record) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	r.Schema = Schema
	encoded, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding record %s: %w", r.ID, err)
	}
	return append(encoded, '\n'), nil
}
