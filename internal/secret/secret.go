// Package secret keeps sensitive text from being shown by accident.
//
// It does not store secrets and does not decide what is one: whoever reads a
// sensitive value makes a [Text] of it and adds it to the run's [Set].
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const mask = "***"

// Text is a string that must not be shown. Formatting, logging and encoding
// it all yield a mask; Reveal is the only way to the value.
//
// It is a string underneath so that configuration and JSON decode into it. What
// gets past it: the conversion string(t), which a test forbids outside this
// package; formatting a whole struct that holds a Text behind an unexported
// field, and the verbs %p and %w, because fmt calls no methods there; and
// encoding/json where a Text is the key of a map.
type Text string

// Reveal returns the value. Call it at the last moment, next to the request
// or the file that needs it, and keep the result in no struct.
func (t Text) Reveal() string { return string(t) }

// Format implements [fmt.Formatter] with the mask. Without it a verb that is not
// meant for strings, such as %d, would show the value.
func (Text) Format(f fmt.State, _ rune) {
	// A failed write shows nothing, and fmt has no way to report it.
	_, _ = io.WriteString(f, mask)
}

// String implements [fmt.Stringer] with the mask.
func (Text) String() string { return mask }

// GoString implements [fmt.GoStringer] with the mask.
func (Text) GoString() string { return mask }

// MarshalText implements [encoding.TextMarshaler] with the mask, so a secret
// cannot reach a state record.
func (Text) MarshalText() ([]byte, error) { return []byte(mask), nil }

// LogValue implements [slog.LogValuer] with the mask.
func (Text) LogValue() slog.Value { return slog.StringValue(mask) }
