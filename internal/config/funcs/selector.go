package funcs

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/go-bexpr/grammar"
)

const (
	maxSelector      = 4096    // bytes
	maxSelectorSteps = 200_000 // of its parser, whose time grows fast with nested parentheses
)

// Selector is a condition on labels, such as `env == production`. It may be
// used concurrently.
type Selector struct {
	source   string
	root     grammar.Expression
	patterns map[*grammar.MatchExpression]pattern
}

// pattern is what follows "matches".
type pattern struct {
	expression *regexp.Regexp
	length     int // of its program
}

// ParseSelector reads a selector. Its error says what is wrong where, and how
// selectors are written.
func ParseSelector(source string) (*Selector, error) {
	if len(source) > maxSelector {
		return nil, fmt.Errorf("a selector of %d bytes is too long: at most %d are read", len(source), maxSelector)
	}
	parsed, err := grammar.Parse("", []byte(source), grammar.MaxExpressions(maxSelectorSteps))
	if err != nil {
		return nil, selectorError(source, err)
	}
	s := &Selector{source: source, patterns: map[*grammar.MatchExpression]pattern{}}
	root, ok := parsed.(grammar.Expression)
	if !ok {
		return nil, s.refuse("it has no condition")
	}
	s.root = root
	return s, s.check(root)
}

// Match reports whether labels fulfil the selector. A label that is not there
// equals nothing, contains nothing, matches nothing and is empty.
func (s *Selector) Match(labels map[string]string) (bool, error) { return s.match(s.root, labels) }

// selectorHelp ends every message on a selector.
const selectorHelp = `write it as in: env == production and not "/app.tier" matches "^web"`

// refuse says what is wrong with the selector as a whole.
func (s *Selector) refuse(format string, args ...any) error {
	return fmt.Errorf("the selector %q is not valid: %s; %s", s.source, fmt.Sprintf(format, args...), selectorHelp)
}

// position finds the column in an error of the parser: "1:5 (4): …".
var position = regexp.MustCompile(`^(\d+):(\d+) \((\d+)\): (.*)`)

// selectorError says where the parser could not go on, in our words: its own
// list every character that it would have taken.
func selectorError(source string, err error) error {
	found := position.FindStringSubmatch(err.Error())
	if found == nil {
		return fmt.Errorf("the selector %q is not valid; %s", source, selectorHelp)
	}
	// The parser counts a character too far where it met the end.
	offset, _ := strconv.Atoi(found[3])
	offset = min(offset, len(source))
	reason := "is not understood"
	switch {
	case strings.Contains(err.Error(), "max number of expressions"):
		return fmt.Errorf("the selector %q has too many parentheses or parts; %s", source, selectorHelp)
	case strings.Contains(found[4], "Unterminated string"):
		reason = "lacks the closing quote"
	case strings.TrimSpace(source[offset:]) == "":
		return fmt.Errorf("the selector %q is not complete; %s", source, selectorHelp)
	}
	return fmt.Errorf("the selector %q is not valid: what begins at character %d, %q, %s; %s",
		source, offset+1, source[offset:], reason, selectorHelp)
}

// check refuses what the grammar allows and labels do not have, and compiles
// the regular expressions.
func (s *Selector) check(e grammar.Expression) error {
	switch e := e.(type) {
	case *grammar.UnaryExpression:
		return s.check(e.Operand)
	case *grammar.BinaryExpression:
		return errors.Join(s.check(e.Left), s.check(e.Right))
	case *grammar.MatchExpression:
		return s.checkMatch(e)
	}
	return s.refuse("labels are no lists, so that there is no \"any\" or \"all\" of them")
}

func (s *Selector) checkMatch(e *grammar.MatchExpression) error {
	if len(e.Selector.Path) != 1 {
		name := strings.Join(e.Selector.Path, ".")
		escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		return s.refuse("the label %q must be written as \"/%s\"", name, escaped)
	}
	switch e.Operator {
	case grammar.MatchIsNil, grammar.MatchIsNotNil:
		return s.refuse("a label is never nil; \"is empty\" asks whether it has no value")
	case grammar.MatchMatches, grammar.MatchNotMatches:
		compiled, err := regexp.Compile(e.Value.Raw)
		if err != nil {
			return s.refuse("%q is no regular expression (%v)", e.Value.Raw, err)
		}
		s.patterns[e] = pattern{compiled, instructions(e.Value.Raw)}
	}
	return nil
}

// match evaluates a part of the selector.
func (s *Selector) match(e grammar.Expression, labels map[string]string) (bool, error) {
	switch e := e.(type) {
	case *grammar.UnaryExpression:
		matched, err := s.match(e.Operand, labels)
		return !matched && err == nil, err
	case *grammar.BinaryExpression:
		matched, err := s.match(e.Left, labels)
		if err != nil || matched == (e.Operator == grammar.BinaryOpOr) {
			return matched, err
		}
		return s.match(e.Right, labels)
	case *grammar.MatchExpression:
		label, found := labels[e.Selector.Path[0]]
		if !found {
			return e.Operator.NotPresentDisposition(), nil
		}
		return s.compare(e, label)
	}
	return false, s.refuse("it has an unknown part")
}

// compare evaluates one comparison with a label that is there.
func (s *Selector) compare(e *grammar.MatchExpression, label string) (bool, error) {
	switch e.Operator {
	case grammar.MatchEqual:
		return label == e.Value.Raw, nil
	case grammar.MatchNotEqual:
		return label != e.Value.Raw, nil
	case grammar.MatchIn, grammar.MatchContains:
		return strings.Contains(label, e.Value.Raw), nil
	case grammar.MatchNotIn, grammar.MatchNotContains:
		return !strings.Contains(label, e.Value.Raw), nil
	case grammar.MatchIsEmpty:
		return label == "", nil
	case grammar.MatchIsNotEmpty:
		return label != "", nil
	}
	p := s.patterns[e]
	if len(label) > maxSteps/p.length {
		return false, fmt.Errorf("a label of %d bytes is too long for the expression %q", len(label), e.Value.Raw)
	}
	return p.expression.MatchString(label) == (e.Operator == grammar.MatchMatches), nil
}
