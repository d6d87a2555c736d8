package files

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/docker/go-units"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// xzMagic is how a file begins that is compressed with xz.
const xzMagic = "\xfd7zXZ\x00"

// largestDictionary is what is kept in memory to read such a file. The highest
// level of the program xz asks for a quarter of it.
const largestDictionary = 256 << 20

// xzError says that a file is compressed with xz in a way that is not read.
type xzError struct{ why string }

func (e *xzError) Error() string { return "compressed with xz: " + e.why }

// openXZ decompresses a file that begins with [xzMagic].
func openXZ(r *bufio.Reader) (io.ReadCloser, error) {
	// The first 12 bytes are the header of the stream; then comes that of a
	// block, which is 1024 bytes at most.
	head, err := r.Peek(12 + 1024)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if err := checkBlock(head[min(12, len(head)):]); err != nil {
		return nil, err
	}
	plain, err := xz.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(plain), nil
}

// checkBlock looks at the header of a block, as far as it is there:
// https://tukaani.org/xz/xz-file-format.txt, section 3.1.
func checkBlock(header []byte) error {
	if len(header) < 2 || header[0] == 0 || len(header) < 4*(int(header[0])+1) {
		return nil // no block, or none that is whole, which reading it tells
	}
	flags, rest := header[1], header[2:]
	number := func() uint64 {
		value, length := binary.Uvarint(rest)
		rest = rest[max(0, length):]
		return value
	}
	for _, given := range []byte{0x40, 0x80} { // the block's sizes
		if flags&given != 0 {
			number()
		}
	}
	const lzma2 = 0x21
	if flags&3 != 0 || number() != lzma2 {
		return &xzError{"with a filter for programs"}
	}
	if number() != 1 || len(rest) == 0 {
		return nil
	}
	if size, err := lzma.DecodeDictCap(rest[0]); err == nil && size > largestDictionary {
		return &xzError{fmt.Sprintf("with a dictionary of %s, where %s is the most", units.BytesSize(float64(size)), units.BytesSize(largestDictionary))}
	}
	return nil
}
