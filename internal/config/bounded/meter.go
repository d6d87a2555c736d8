package bounded

import (
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// The budget of one evaluation, and what things cost. It is enough for 200,000
// passes through loops, or 16 MiB of text.
const (
	budget        = 4 << 20
	passCost      = 20   // an iteration of a loop
	problemCost   = 1000 // a diagnostic, for a loop may have one each time
	argumentCost  = 4    // a value in what a function is given: it is often copied
	bytesOfText   = 4    // that cost as much as a value
	meterVariable = "the meter of an evaluation"
)

// meter counts what an evaluation costs. It is found through the evaluation's
// context, in a variable whose name no expression can refer to.
type meter struct {
	left int
}

var meterType = cty.Capsule("meter", reflect.TypeFor[meter]())

// withMeter returns a context with a meter of its own, or that of a context
// above it.
func withMeter(ctx *hcl.EvalContext) (*hcl.EvalContext, *meter) {
	if m := meterOf(ctx); m != nil {
		return ctx, m
	}
	m := &meter{left: budget}
	child := ctx.NewChild()
	child.Variables = map[string]cty.Value{meterVariable: cty.CapsuleVal(meterType, m)}
	return child, m
}

// meterOf returns the meter of the evaluation that ctx belongs to, or nil.
func meterOf(ctx *hcl.EvalContext) *meter {
	for ; ctx != nil; ctx = ctx.Parent() {
		if value, found := ctx.Variables[meterVariable]; found {
			return value.EncapsulatedValue().(*meter)
		}
	}
	return nil
}

// spent reports whether nothing is left.
func (m *meter) spent() bool { return m.left < 0 }

// charge counts a value whose every element has a cost, and no more of it than
// there is budget for: what looks small may hold one list a million times.
func (m *meter) charge(value cty.Value, cost int) {
	m.left -= cost
	value, _ = value.Unmark()
	kind := value.Type()
	switch {
	case m.spent(), value.IsNull(), !value.IsKnown():
	case kind == cty.String:
		m.left -= len(value.AsString()) / bytesOfText
	case kind.IsPrimitiveType(), !value.CanIterateElements():
	case kind.IsCollectionType() && kind.ElementType().IsPrimitiveType() && kind.ElementType() != cty.String:
		m.left -= cost * value.LengthInt()
	default:
		for it := value.ElementIterator(); it.Next() && !m.spent(); {
			_, element := it.Element()
			m.charge(element, cost)
		}
	}
}
