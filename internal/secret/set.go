package secret

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// shortest is the length from which a text is searched for. Shorter ones would
// blank ordinary words out of a log.
const shortest = 8

// Set is the secrets that this run knows. Its zero value is empty and ready to
// use; a nil Set knows nothing. Safe for concurrent use.
type Set struct {
	mu    sync.RWMutex
	forms [][]byte // every form of every secret, longest first
}

// Add makes t known. Texts under 8 characters are masked on the runner but not
// searched for.
func (s *Set) Add(t Text) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(t.Reveal()) {
		s.add(strings.TrimSpace(line))
	}
	s.add(t.Reveal())
	slices.SortFunc(s.forms, func(a, b []byte) int { return len(b) - len(a) })
}

// add records the forms of one value: as it is, URL-encoded, and base64 at
// each of the three offsets at which it can stand in a longer text.
func (s *Set) add(value string) {
	if len(value) < shortest {
		return
	}
	s.addForm([]byte(value))
	s.addForm([]byte(url.QueryEscape(value)))
	s.addForm([]byte(url.PathEscape(value)))
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			s.addForm(encodedCore(encoding, value, offset))
		}
	}
}

// encodedCore returns the base64 characters that depend on value alone when it
// begins offset bytes into a group of three.
func encodedCore(encoding *base64.Encoding, value string, offset int) []byte {
	padded := append(make([]byte, offset), value...)
	encoded := encoding.AppendEncode(nil, padded)
	from := (offset*8 + 5) / 6 // the first character with no bit of the padding
	to := len(padded) * 8 / 6  // the last with no bit of what follows
	return encoded[from:max(from, to)]
}

func (s *Set) addForm(form []byte) {
	if len(form) < shortest || slices.ContainsFunc(s.forms, func(f []byte) bool { return bytes.Equal(f, form) }) {
		return
	}
	s.forms = append(s.forms, form)
}

// Redact replaces every known secret in p, also base64- and URL-encoded,
// longest first. It returns p itself where it finds none.
func (s *Set) Redact(p []byte) (redacted []byte, found bool) {
	if s == nil {
		return p, false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, form := range s.forms {
		if bytes.Contains(p, form) {
			p, found = bytes.ReplaceAll(p, form, []byte(mask)), true
		}
	}
	return p, found
}

// RedactString is [Set.Redact] for a string.
func (s *Set) RedactString(text string) string {
	redacted, found := s.Redact([]byte(text))
	if !found {
		return text
	}
	return string(redacted)
}
