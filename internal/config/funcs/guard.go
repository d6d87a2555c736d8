package funcs

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// entry is one function of the language.
type entry struct {
	name     string
	summary  string // one sentence for the reference
	function function.Function

	// check refuses arguments with which the work or the result would grow
	// beyond all measure. It is nil where both grow as the arguments do. The
	// arguments it gets have no marks, but may be unknown or null.
	check func(args []cty.Value) error

	// frank says that errors show no part of any argument, so that they can be
	// shown where one is sensitive.
	frank bool
}

// errTooLarge is the answer to arguments beyond [MaxSize].
var errTooLarge = fmt.Errorf("the arguments are too large: more than %d MB or %d elements together, or a number of more than %d digits", MaxSize>>20, maxElements, maxDigits)

// errResult is the answer to a result beyond [MaxSize].
var errResult = fmt.Errorf("the result is too large: more than %d MB or %d elements, or a number of more than %d digits", MaxSize>>20, maxElements, maxDigits)

// errSensitive stands for an error that might quote an argument.
var errSensitive = errors.New("an argument is sensitive, so what is wrong with it is not shown")

// bounded returns the function with limits: no call takes long or much memory,
// whatever its arguments. Everything else it leaves to the function itself.
func (e entry) bounded() function.Function {
	params := e.function.Params()
	rest := e.function.VarParam()
	if rest != nil && customdecode.CustomExpressionDecoderForType(rest.Type) != nil {
		return e.function // its arguments are expressions, not values
	}
	for i := range params {
		params[i] = permissive(params[i])
	}
	if rest != nil {
		*rest = permissive(*rest)
	}
	return function.New(&function.Spec{
		Description: e.summary,
		Params:      params,
		VarParam:    rest,
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := e.admit(args); err != nil {
				return cty.NilType, e.discreet(args, err)
			}
			converted, err := e.converted(args)
			if err != nil {
				return cty.NilType, e.discreet(args, err)
			}
			kind, err := e.function.ReturnTypeForValues(converted)
			return kind, e.discreet(args, err)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			converted, err := e.converted(args)
			if err != nil {
				return cty.NilVal, e.discreet(args, err)
			}
			result, err := e.function.Call(converted)
			if err != nil {
				return cty.NilVal, e.discreet(args, err)
			}
			if Size(result) > MaxSize {
				return cty.NilVal, errResult
			}
			return result, nil
		},
	})
}

// permissive returns a parameter that lets every value through to the function
// behind it. What is converted at a cost is converted here, once its size is
// known, and not by the caller.
func permissive(p function.Parameter) function.Parameter {
	p.AllowNull, p.AllowUnknown, p.AllowDynamicType, p.AllowMarked = true, true, true, true
	if costly(p.Type) {
		p.Type = cty.DynamicPseudoType
	}
	return p
}

// costly reports whether the time to convert to a type grows with the square
// of the value's size.
func costly(t cty.Type) bool { return t == cty.Number || t.IsCollectionType() }

// admit refuses arguments that are too large.
func (e entry) admit(args []cty.Value) error {
	if sizeOf(args) > MaxSize {
		return errTooLarge
	}
	if e.check == nil {
		return nil
	}
	plain := make([]cty.Value, len(args))
	for i, arg := range args {
		plain[i], _ = arg.UnmarkDeep()
	}
	return e.check(plain)
}

// converted returns the arguments as the types that the function takes.
func (e entry) converted(args []cty.Value) ([]cty.Value, error) {
	params, rest := e.function.Params(), e.function.VarParam()
	values := make([]cty.Value, len(args))
	for i, arg := range args {
		param := rest
		if i < len(params) {
			param = &params[i]
		}
		values[i] = arg
		if param == nil || !costly(param.Type) {
			continue
		}
		err := checkConversion(arg)
		if err == nil {
			values[i], err = convert.Convert(arg, param.Type)
		}
		if err != nil {
			return nil, function.NewArgError(i, err)
		}
	}
	return values, nil
}

// checkConversion refuses values that take long to convert.
func checkConversion(v cty.Value) error {
	v, _ = v.Unmark()
	switch kind := v.Type(); {
	case len(text(v)) > maxDigits:
		return fmt.Errorf("a number of more than %d digits is too long", maxDigits)
	case (kind.IsTupleType() || kind.IsObjectType()) && count(v) > maxMixed:
		return fmt.Errorf("a list or map of more than %d elements is too long to make all of one type", maxMixed)
	}
	return nil
}

// discreet hides an error that might quote a sensitive argument. A nil error
// stays nil.
func (e entry) discreet(args []cty.Value, err error) error {
	if err == nil || e.frank {
		return err
	}
	for _, arg := range args {
		if !arg.ContainsMarked() {
			continue
		}
		if at, ok := errors.AsType[function.ArgError](err); ok {
			return function.NewArgError(at.Index, errSensitive)
		}
		return errSensitive
	}
	return err
}

// text returns a string, or "" for anything else. The value has no marks.
func text(v cty.Value) string {
	if v.Type() != cty.String || v.IsNull() || !v.IsKnown() {
		return ""
	}
	return v.AsString()
}

// count returns how many elements a value has, or 0 where that is not known.
// The value has no marks.
func count(v cty.Value) int {
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return 0
	}
	return v.LengthInt()
}
