package funcs_test

import (
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	labels := map[string]string{
		"waypoint/workspace": "staging", "env": "prod", "a-b.c": "x y", "empty": "",
	}
	for selector, want := range map[string]bool{
		`waypoint/workspace == staging`:             true,
		`waypoint/workspace != staging`:             false,
		`"/waypoint~1workspace" == staging`:         true,
		`"/a-b.c" == "x y"`:                         true,
		`env == prod and waypoint/workspace == dev`: false,
		`env == prod or waypoint/workspace == dev`:  true,
		`not (env == prod)`:                         false,
		`env contains ro`:                           true,
		`ro in env`:                                 true,
		`ro not in env`:                             false,
		`env matches "^p"`:                          true,
		`env not matches "^p"`:                      false,
		`empty is empty`:                            true,
		`env is not empty`:                          true,
		`absent == x`:                               false,
		`absent == ""`:                              false,
		`absent != x`:                               true,
		`absent matches ".*"`:                       false,
		`absent is empty`:                           true,
		`x in absent`:                               false,
		`absent == x or env == prod`:                true,
	} {
		parsed, err := funcs.ParseSelector(selector)
		if err != nil {
			t.Errorf("%q: %v", selector, err)
			continue
		}
		if got, err := parsed.Match(labels); err != nil || got != want {
			t.Errorf("Match(%q) = %v, %v, want %v", selector, got, err, want)
		}
	}
}

func TestInvalidSelector(t *testing.T) {
	t.Parallel()
	for selector, want := range map[string]string{
		``:                           `is not complete; write it as in: env == production`,
		`env ==`:                     `is not complete`,
		`env = prod`:                 `what begins at character 5, "= prod", is not understood`,
		`env == "prod`:               `lacks the closing quote`,
		`a.b == c`:                   `the label "a.b" must be written as "/a.b"`,
		`"/waypoint/workspace" == c`: `the label "waypoint.workspace" must be written as`,
		`env matches "("`:            `"(" is no regular expression`,
		`any env as e { e == c }`:    `labels are no lists`,
		`env is nil`:                 `a label is never nil`,
		strings.Repeat("(", 20) + `a == b` + strings.Repeat(")", 20): `too many parentheses or parts`,
		strings.Repeat("a", 5000) + ` == b`:                          `a selector of 5005 bytes is too long`,
	} {
		if _, err := funcs.ParseSelector(selector); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseSelector(%.40q) = %v, want an error with %q", selector, err, want)
		}
	}
}
