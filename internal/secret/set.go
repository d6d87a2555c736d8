package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
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
	// Mask is told of each text before it is known here, so that a runner masks
	// it too, also a short one. It is set before the first Add; nil tells nobody.
	Mask func(Text)

	mu    sync.RWMutex
	forms [][]byte // every form of every secret
}

// Add makes t known. Texts under 8 characters are masked on the runner but not
// searched for.
func (s *Set) Add(t Text) {
	if s == nil {
		return
	}
	if s.Mask != nil && t != "" {
		s.Mask(t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(t.Reveal()) {
		s.add(strings.TrimSpace(line))
	}
	s.add(t.Reveal())
}

// add records the forms of one value: as it is, URL-encoded, as a JSON string
// with and without HTML's characters escaped, and base64 at each of the three
// offsets at which it can stand in a longer text.
func (s *Set) add(value string) {
	if len(value) < shortest {
		return
	}
	s.addForm([]byte(value))
	s.addForm([]byte(url.QueryEscape(value)))
	s.addForm([]byte(url.PathEscape(value)))
	for _, escapeHTML := range []bool{true, false} {
		s.addForm(jsonForm(value, escapeHTML))
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			s.addForm(encodedCore(encoding, value, offset))
		}
	}
}

// jsonForm returns value as it stands between the quotes of a JSON string.
func jsonForm(value string, escapeHTML bool) []byte {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(escapeHTML)
	if encoder.Encode(value) != nil {
		return nil // does not happen: every string has a JSON form
	}
	quoted := bytes.TrimSpace(encoded.Bytes())
	return quoted[1 : len(quoted)-1]
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

// Redact replaces every known secret in p by a mask, also where it stands in
// base64 or encoded for a URL or JSON. Where secrets overlap or touch, one mask
// covers them all. It returns p itself where it finds none, and never changes
// it.
func (s *Set) Redact(p []byte) (redacted []byte, found bool) {
	spans := s.find(p)
	if len(spans) == 0 {
		return p, false
	}
	end := 0 // of what is dealt with
	for i, at := range spans {
		if i == 0 || at.from > end {
			redacted = append(redacted, p[end:at.from]...)
			redacted = append(redacted, mask...)
		}
		end = max(end, at.to)
	}
	return append(redacted, p[end:]...), true
}

// span is a part of a text that shows a secret.
type span struct{ from, to int }

// find returns where p shows secrets, in order of their beginnings.
func (s *Set) find(p []byte) []span {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var spans []span
	for _, form := range s.forms {
		for from := 0; ; {
			i := bytes.Index(p[from:], form)
			if i < 0 {
				break
			}
			spans = append(spans, span{from + i, from + i + len(form)})
			from += i + 1
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	return spans
}

// RedactString is [Set.Redact] for a string.
func (s *Set) RedactString(text string) string {
	redacted, found := s.Redact([]byte(text))
	if !found {
		return text
	}
	return string(redacted)
}
