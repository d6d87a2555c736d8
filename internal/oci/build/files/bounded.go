package files

import (
	"io"
	"sync/atomic"

	"github.com/docker/go-units"
)

// An archive may grow to minLimit; a larger one only to maxRatio times its
// compressed size. Real files shrink by less.
const (
	minLimit = 8 << 30
	maxRatio = 100
)

// boundedReader stops an archive that is made to fill a disk.
type boundedReader struct {
	io.ReadCloser
	compressed *countingReader
	plain      int64
}

// Read implements [io.Reader].
func (r *boundedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.plain += int64(n)
	if growth := checkGrowth(r.compressed.read.Load(), r.plain); growth != nil {
		return n, growth
	}
	return n, err
}

// checkGrowth returns a problem where in bytes became out bytes, and that is
// beyond all measure.
func checkGrowth(in, out int64) error {
	if out <= minLimit || out/maxRatio <= in {
		return nil
	}
	return invalid("ADD: %s of the archive became more than %s when it was unpacked, which is more than %d times as much. "+
		"It can only be made to fill a disk", units.BytesSize(float64(in)), units.BytesSize(float64(out)), maxRatio)
}

// countingReader counts what was read through it. A decompressor may read ahead
// in a goroutine of its own.
type countingReader struct {
	from io.Reader
	read atomic.Int64
}

// Read implements [io.Reader].
func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.read.Add(int64(n))
	return n, err
}
