package funcs

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
)

// errDeep is the answer to a program that would exhaust the stack of its parser.
var errDeep = errors.New("it is nested too deep")

// jsonnetWords are the words that begin an expression within another.
var jsonnetWords = []string{"assert", "else", "error", "for", "function", "if", "import", "importstr", "in", "local", "then"}

// blockEnd finds the end of a text block, which stands on a line of its own.
var blockEnd = regexp.MustCompile(`\n[ \t]*\|\|\|`)

// checkJsonnet refuses a program that is nested too deep. It knows as much of
// the language as tells brackets and operators from texts and comments.
func checkJsonnet(content []byte) error {
	var n nesting
	n.open()
	for i := 0; i < len(content); {
		length := 1
		switch c := content[i]; {
		case c == '#' || bytes.HasPrefix(content[i:], []byte("//")):
			length = until(content[i:], "\n", 1)
		case bytes.HasPrefix(content[i:], []byte("/*")):
			length = until(content[i:], "*/", 2)
		case bytes.HasPrefix(content[i:], []byte("|||")):
			length = len(content) - i
			if end := blockEnd.FindIndex(content[i:]); end != nil {
				length = end[1]
			}
		case c == '@' && i+1 < len(content) && (content[i+1] == '"' || content[i+1] == '\''):
			length = 1 + until(content[i+1:], string(content[i+1]), 1)
		case c == '"' || c == '\'':
			length = quotedLength(content[i:])
		case c == '(' || c == '[' || c == '{':
			n.open()
		case c == ')' || c == ']' || c == '}':
			n.close()
		case c == ',':
			n.comma()
		case strings.IndexByte("!~-+*/%<>=&|^$:;.", c) >= 0:
			n.operator()
		case isLetter(c):
			length = wordLength(content[i:])
			for _, word := range jsonnetWords {
				if word == string(content[i:i+length]) {
					n.operator()
				}
			}
		}
		if n.tooDeep() {
			return errDeep
		}
		i += length
	}
	return nil
}

// until returns the length of what ends with end, or of all that there is. Its
// first bytes are not looked at.
func until(content []byte, end string, first int) int {
	at := bytes.Index(content[first:], []byte(end))
	if at < 0 {
		return len(content)
	}
	return first + at + len(end)
}

// quotedLength returns the length of a text in quotes.
func quotedLength(content []byte) int {
	for i := 1; i < len(content); i++ {
		switch content[i] {
		case '\\':
			i++
		case content[0]:
			return i + 1
		}
	}
	return len(content)
}

// wordLength returns the length of a word.
func wordLength(content []byte) int {
	length := 1
	for length < len(content) && (isLetter(content[length]) || content[length] >= '0' && content[length] <= '9') {
		length++
	}
	return length
}

func isLetter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
