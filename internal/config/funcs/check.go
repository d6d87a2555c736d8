package funcs

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// The limits of single functions. They are far beyond what configuration
// needs, and keep each call well under a second.
const (
	maxElements = MaxSize / elementSize
	maxSlow     = 4 << 20 // size of the arguments where each character takes long
	maxMixed    = 5_000   // elements that are converted to one type
	maxPath     = 4096
	maxPad      = 10_000        // spaces of indent, width and precision of format
	maxCutset   = 1_000         // characters of trim
	maxCompares = 2_000_000_000 // elements times bytes, where all are compared with all
	maxSteps    = 50_000_000    // characters times instructions of a regular expression
	maxMatching = time.Second / 4
)

// tooMany is the answer to a result of more than [maxElements].
func tooMany() error {
	return fmt.Errorf("the result would have more than %d elements", maxElements)
}

// tooLong is the answer to a result of more than [MaxSize].
func tooLong() error {
	return fmt.Errorf("the result would be larger than %d MB", MaxSize>>20)
}

// checkSlow bounds the arguments of functions that look at each character
// closely, or write several for it.
func checkSlow(args []cty.Value) error {
	if sizeOf(args) > maxSlow {
		return fmt.Errorf("the arguments are too large: more than %d MB together", maxSlow>>20)
	}
	return nil
}

// checkLength returns a check that no text is longer than limit.
func checkLength(limit int) func([]cty.Value) error {
	return func(args []cty.Value) error {
		for i, arg := range args {
			if n := len(text(arg)); n > limit {
				return function.NewArgErrorf(i, "it has %d bytes, and at most %d are read", n, limit)
			}
		}
		return nil
	}
}

// checkConverted refuses what takes long to convert.
func checkConverted(args []cty.Value) error {
	for i, arg := range args {
		if err := checkConversion(arg); err != nil {
			return function.NewArgError(i, err)
		}
	}
	return nil
}

// checkPath refuses paths that no system knows.
func checkPath(args []cty.Value) error { return checkLength(maxPath)(args) }

// checkIndent bounds the spaces, which the library repeats unseen.
func checkIndent(args []cty.Value) error {
	if len(args) < 2 {
		return nil
	}
	spaces, known := whole(args[0])
	if !known {
		return nil
	}
	if spaces < 0 || spaces > maxPad {
		return function.NewArgErrorf(0, "the number of spaces must lie between 0 and %d", maxPad)
	}
	if spaces*strings.Count(text(args[1]), "\n") > MaxSize {
		return tooLong()
	}
	return nil
}

// checkReplace bounds the result.
func checkReplace(args []cty.Value) error {
	if len(args) < 3 {
		return nil
	}
	found := strings.Count(text(args[0]), text(args[1]))
	if added := len(text(args[2])); added > 0 && found > MaxSize/added {
		return tooLong()
	}
	return nil
}

// checkSplit bounds the number of parts.
func checkSplit(args []cty.Value) error {
	if len(args) == 2 && strings.Count(text(args[1]), text(args[0])) >= maxElements {
		return tooMany()
	}
	return nil
}

// checkJoin bounds what the separator adds.
func checkJoin(args []cty.Value) error {
	elements := 0
	for _, list := range args[min(1, len(args)):] {
		elements += count(list)
	}
	if elements > 0 && len(text(args[0])) > MaxSize/elements {
		return tooLong()
	}
	return nil
}

// checkTrim bounds the characters to trim: each is looked up in all of them.
func checkTrim(args []cty.Value) error {
	if len(args) == 2 && len(text(args[1])) > maxCutset {
		return function.NewArgErrorf(1, "more than %d characters to trim are too many", maxCutset)
	}
	return nil
}

// checkDistinct bounds lists whose elements are all compared with each other.
func checkDistinct(args []cty.Value) error {
	elements := 0
	for _, arg := range args {
		elements = max(elements, count(arg))
	}
	if elements > 0 && sizeOf(args) > maxCompares/elements {
		return fmt.Errorf("the list is too long: its %d elements are all compared with each other", elements)
	}
	return nil
}

// checkProduct bounds the number of combinations.
func checkProduct(args []cty.Value) error {
	elements := max(1, len(args))
	for _, set := range args {
		elements *= max(1, count(set))
		if elements > maxElements {
			return tooMany()
		}
	}
	return nil
}

// checkNumbers bounds the digits of numbers in a list.
func checkNumbers(args []cty.Value) error {
	for _, list := range args {
		if count(list) == 0 {
			continue
		}
		for it := list.ElementIterator(); it.Next(); {
			_, element := it.Element()
			if err := checkConverted([]cty.Value{element}); err != nil {
				return err
			}
		}
	}
	return nil
}

// placeholders finds the verbs of a format, and the numbers in them.
var placeholders = regexp.MustCompile(`%[^a-zA-Z%]*`)

var digits = regexp.MustCompile(`\d+`)

// checkFormat bounds the result of format and formatlist.
func checkFormat(args []cty.Value) error {
	if len(args) == 0 {
		return nil
	}
	spec := text(args[0])
	verbs, padding := placeholders.FindAllString(spec, -1), 0
	for _, verb := range verbs {
		for _, number := range digits.FindAllString(verb, -1) {
			n, err := strconv.Atoi(number)
			if err != nil || n > maxPad {
				return function.NewArgErrorf(0, "the width, precision or index %s is more than %d", number, maxPad)
			}
			padding += n
		}
	}
	// A verb with an index can use one argument many times.
	uses := 1
	if strings.Contains(spec, "[") {
		uses = max(1, len(verbs))
	}
	rows, repeated, once := 1, 0, 0
	for _, arg := range args[1:] {
		if kind := arg.Type(); count(arg) > 0 && (kind.IsListType() || kind.IsTupleType() || kind.IsSetType()) {
			rows = max(rows, count(arg))
			once += Size(arg)
		} else {
			repeated += Size(arg)
		}
	}
	if total := float64(rows)*float64(len(spec)+padding+uses*repeated) + float64(uses)*float64(once); total > 4*MaxSize {
		return tooLong()
	}
	return nil
}

// checkRegex bounds the work of a regular expression: what is read, times the
// instructions that the expression is made of.
func checkRegex(args []cty.Value) error {
	if len(args) < 2 {
		return nil
	}
	pattern, subject := text(args[0]), text(args[1])
	if len(pattern) > maxPad {
		return function.NewArgErrorf(0, "an expression of more than %d bytes is too long", maxPad)
	}
	if steps := instructions(pattern); steps > 0 && len(subject) > maxSteps/steps {
		return function.NewArgErrorf(1, "a text of %d bytes is too long for this expression", len(subject))
	}
	return nil
}

// instructions returns how long the program of an expression is; 0 where it is
// not valid.
func instructions(pattern string) int {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

// checkRegexAll also bounds the time for all matches, which can grow with the
// square of the text: it looks for ever more of them, and gives up once that
// takes long.
func checkRegexAll(args []cty.Value) error {
	if err := checkRegex(args); err != nil || len(args) < 2 {
		return err
	}
	expression, err := regexp.Compile(text(args[0]))
	if err != nil {
		return nil // the function itself says what is wrong
	}
	subject := text(args[1])
	for wanted := 64; ; wanted *= 2 {
		start := time.Now()
		found := len(expression.FindAllStringIndex(subject, wanted))
		switch {
		case found > maxElements:
			return tooMany()
		case found < wanted:
			return nil
		case time.Since(start) > maxMatching:
			return fmt.Errorf("looking for all matches takes too long in a text of %d characters", utf8.RuneCountInString(subject))
		}
	}
}

// whole returns a number as an int, and whether it is known to be one.
func whole(v cty.Value) (int, bool) {
	if v.IsNull() || !v.IsKnown() {
		return 0, false
	}
	number, err := convert.Convert(v, cty.Number)
	if err != nil || number.IsNull() || !number.IsKnown() {
		return 0, false
	}
	n, _ := number.AsBigFloat().Int64()
	return int(n), true
}
