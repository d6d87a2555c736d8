package compress

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// newCodec returns what packs the blocks of one layer.
func newCodec(p *Pool, s Settings) (codec, error) {
	level := max(1, s.Level)
	switch s.Format {
	case "", Gzip:
		if level > Gzip.Highest() {
			return nil, fmt.Errorf("gzip has no level %d", level)
		}
		return &gzipCodec{pool: p, level: level}, nil
	case Zstd:
		// Its output does not depend on the number of goroutines: each block is
		// a frame.
		encoder, err := zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
		return zstdCodec{encoder}, err
	}
	return nil, fmt.Errorf("there is no format %q", s.Format)
}

// gzipCodec makes one member of gzip, RFC 1952, of blocks that end at a byte's
// boundary.
type gzipCodec struct {
	pool  *Pool
	level int
	check uint32
	size  uint32 // modulo its range, as the trailer wants it
}

func (c *gzipCodec) header() []byte {
	// Deflate, no flags, no time, and no word about level and system.
	return []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
}

func (c *gzipCodec) encode(packed, plain []byte) ([]byte, error) {
	buffer := bytes.NewBuffer(packed)
	writer, err := c.pool.deflate(c.level)
	if err != nil {
		return nil, err
	}
	defer c.pool.putDeflate(c.level, writer)
	writer.Reset(buffer)
	if _, err := writer.Write(plain); err != nil {
		return nil, err
	}
	err = writer.Flush()
	return buffer.Bytes(), err
}

// deflate returns an encoder, which is large and therefore used again.
func (p *Pool) deflate(level int) (*flate.Writer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.deflates[level]) - 1
	if last < 0 {
		return flate.NewWriter(nil, level)
	}
	writer := p.deflates[level][last]
	p.deflates[level] = p.deflates[level][:last]
	return writer, nil
}

func (p *Pool) putDeflate(level int, writer *flate.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deflates[level] = append(p.deflates[level], writer)
}

func (c *gzipCodec) add(plain []byte) {
	c.check = crc32.Update(c.check, crc32.IEEETable, plain)
	c.size += uint32(len(plain))
}

func (c *gzipCodec) trailer() []byte {
	end := []byte{1, 0, 0, 0xff, 0xff} // an empty block that is the last
	end = binary.LittleEndian.AppendUint32(end, c.check)
	return binary.LittleEndian.AppendUint32(end, c.size)
}

// zstdCodec makes one frame of each block, RFC 8878.
type zstdCodec struct{ encoder *zstd.Encoder }

func (c zstdCodec) header() []byte { return nil }

func (c zstdCodec) encode(packed, plain []byte) ([]byte, error) {
	return c.encoder.EncodeAll(plain, packed), nil
}

func (c zstdCodec) add([]byte) {}

// trailer is an empty frame, so that no layer is without one.
func (c zstdCodec) trailer() []byte { return c.encoder.EncodeAll(nil, nil) }
