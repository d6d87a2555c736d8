package state

import (
	"crypto/rand"
	"time"
)

// digits are those of Crockford's base32: in ASCII order, and without letters
// that look like digits.
const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// The parts of an ID, as in a ULID: 48 bits of time and 80 of chance, five
// bits to a character.
const (
	timeDigits   = 10
	randomDigits = 16
)

// NewID returns an ID for a record that starts now. IDs are unique and have 26
// characters; those of different milliseconds sort by time.
func NewID(now time.Time) string {
	id := make([]byte, timeDigits+randomDigits)
	ms := uint64(now.UnixMilli())
	for i := timeDigits - 1; i >= 0; i-- {
		id[i] = digits[ms%32]
		ms /= 32
	}
	rand.Read(id[timeDigits:]) // crypto/rand never returns an error
	for i, b := range id[timeDigits:] {
		id[timeDigits+i] = digits[b%32]
	}
	return string(id)
}
