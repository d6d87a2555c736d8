package funcs

import (
	"math/big"

	"github.com/zclconf/go-cty/cty"
)

// MaxSize is the largest [Size] of the arguments of one call together, and of
// its result.
const MaxSize = 16 << 20

const (
	elementSize = 256  // what one value takes beside its text, with its share of what computing with it takes
	setFactor   = 4    // an element of a set takes so many times that: it is sorted anew for each use
	maxBits     = 4096 // of a number, before or after the point
	maxDigits   = 1000 // of a number that is written as text
)

// Size returns about how many bytes a value takes: its texts, and 256 bytes for
// each element. It stops counting soon after [MaxSize]. A number so large or
// so small that writing it down would take long counts as beyond it.
func Size(v cty.Value) int { return measure(v, MaxSize) }

// measure is Size that stops soon after limit.
func measure(v cty.Value, limit int) int {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() {
		return elementSize
	}
	switch kind := v.Type(); {
	case kind == cty.String:
		return elementSize + len(v.AsString())
	case kind == cty.Number:
		return numberSize(v.AsBigFloat(), limit)
	case kind.IsCollectionType() || kind.IsTupleType() || kind.IsObjectType():
		each := elementSize
		if kind.IsSetType() {
			each *= setFactor
		}
		total := elementSize + v.LengthInt()*(each-elementSize)
		if v.LengthInt() > limit/each {
			return limit + 1 // reading them already takes long
		}
		for it := v.ElementIterator(); it.Next() && total <= limit; {
			key, element := it.Element()
			if kind.IsMapType() || kind.IsObjectType() {
				total += len(key.AsString())
			}
			total += measure(element, limit-total)
		}
		return total
	}
	return elementSize
}

// numberSize is the size of a number whose exponent is written out.
func numberSize(n *big.Float, limit int) int {
	exponent := max(n.MantExp(nil), -n.MantExp(nil))
	if exponent > maxBits {
		return limit + 1
	}
	return elementSize + exponent/8
}

// sizeOf is the size of several values together.
func sizeOf(values []cty.Value) int {
	total := 0
	for _, v := range values {
		if total > MaxSize {
			break
		}
		total += measure(v, MaxSize-total)
	}
	return total
}
