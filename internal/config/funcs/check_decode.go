package funcs

import (
	"fmt"
	"strings"

	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// The limits of texts that become values: a value takes many times the memory
// of the character or two that it is written with.
const (
	maxValues = 50_000
	maxFlow   = 10_000 // lists and maps in brackets of YAML: time grows with their square
	maxDepth  = 500    // of values within values
)

// checkJSON bounds the number of values, how deep they lie within each other,
// and the digits of numbers: time grows with their square.
func checkJSON(args []cty.Value) error {
	if err := checkSlow(args); err != nil {
		return err
	}
	depth, values, digits := 0, 0, 0
	quoted, escaped := false, false
	for _, c := range []byte(textOfFirst(args)) {
		switch {
		case quoted:
			quoted = escaped || c != '"'
			escaped = !escaped && c == '\\'
			continue
		case c == '"':
			quoted = true
		case c == '[' || c == '{':
			depth++
			values++
		case c == ']' || c == '}':
			depth--
		case c == ',':
			values++
		}
		if digits++; c < '0' || c > '9' {
			digits = 0
		}
		switch {
		case depth > maxDepth:
			return function.NewArgErrorf(0, "it has values more than %d deep within each other", maxDepth)
		case values > maxValues:
			return function.NewArgErrorf(0, "it has more than %d values", maxValues)
		case digits > maxDigits:
			return function.NewArgErrorf(0, "a number of more than %d digits is too long", maxDigits)
		}
	}
	return nil
}

// checkCSV bounds the number of values.
func checkCSV(args []cty.Value) error {
	if err := checkSlow(args); err != nil {
		return err
	}
	content := textOfFirst(args)
	if strings.Count(content, ",")+strings.Count(content, "\n") > maxValues {
		return function.NewArgErrorf(0, "it has more than %d values", maxValues)
	}
	return nil
}

// checkYAML bounds the number of values, those that aliases repeat included,
// how deep they lie within each other, and the digits of numbers.
func checkYAML(args []cty.Value) error {
	if err := checkSlow(args); err != nil {
		return err
	}
	content := textOfFirst(args)
	// What opens a value within a value is counted whole, for only the parser
	// knows where each ends.
	if strings.Count(content, "[")+strings.Count(content, "{") > maxFlow {
		return function.NewArgErrorf(0, "it has more than %d lists and maps in brackets", maxFlow)
	}
	openers := 0
	for _, opener := range []string{"- ", "-\t", "-\n", "? ", "?\t", "?\n"} {
		openers += strings.Count(content, opener)
	}
	if openers > maxValues {
		return function.NewArgErrorf(0, "it has more than %d values", maxValues)
	}
	run := 0
	for _, c := range []byte(content) {
		if run++; c < '0' || c > '9' {
			run = 0
		}
		if run > maxDigits {
			return function.NewArgErrorf(0, "a number of more than %d digits is too long", maxDigits)
		}
	}
	// The type has a node for each value, and shares those of aliases, so that
	// it is found without repeating them.
	kind, err := ctyyaml.Standard.ImpliedType([]byte(content))
	if err != nil {
		return nil // the function itself says what is wrong
	}
	left := maxValues
	return spendType(kind, &left, maxDepth)
}

// spendType counts the nodes of a type against what is left.
func spendType(kind cty.Type, left *int, depth int) error {
	if depth == 0 {
		return function.NewArgErrorf(0, "it has values more than %d deep within each other", maxDepth)
	}
	if *left--; *left < 0 {
		return function.NewArgError(0, fmt.Errorf("it has more than %d values, with those that aliases repeat", maxValues))
	}
	switch {
	case kind.IsTupleType():
		for _, element := range kind.TupleElementTypes() {
			if err := spendType(element, left, depth-1); err != nil {
				return err
			}
		}
	case kind.IsObjectType():
		for _, element := range kind.AttributeTypes() {
			if err := spendType(element, left, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// textOfFirst is the first argument, or "" while it is not known.
func textOfFirst(args []cty.Value) string {
	if len(args) == 0 {
		return ""
	}
	return text(args[0])
}
