// Package secret keeps sensitive text from being shown by accident.
//
// It does not store secrets and does not decide what is one: whoever reads a
// sensitive value makes a [Text] of it and adds it to the run's [Set].
package secret

import "log/slog"

const mask = "***"

// Text is a string that must not be shown. Formatting, logging and encoding
// it all yield a mask; Reveal is the only way to the value.
//
// It is a string underneath so that configuration and JSON decode into it. Two
// things get past it: the conversion string(t), which a test forbids outside
// this package, and formatting a whole struct that holds a Text behind an
// unexported field, because fmt calls no methods there.
type Text string

// Reveal returns the value. Call it at the last moment, next to the request
// or the file that needs it, and keep the result in no struct.
func (t Text) Reveal() string { return string(t) }

// String implements [fmt.Stringer] with the mask.
func (Text) String() string { return mask }

// GoString implements [fmt.GoStringer] with the mask.
func (Text) GoString() string { return mask }

// MarshalText implements [encoding.TextMarshaler] with the mask, so a secret
// cannot reach a state record.
func (Text) MarshalText() ([]byte, error) { return []byte(mask), nil }

// LogValue implements [slog.LogValuer] with the mask.
func (Text) LogValue() slog.Value { return slog.StringValue(mask) }
