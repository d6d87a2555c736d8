package artifact

import (
	"encoding/json"
	"fmt"
)

// The kinds, as they are written in records.
const (
	kindImage        = "image"
	kindFiles        = "files"
	kindMachineImage = "machine-image"
	kindNone         = "none"
	kindOpaque       = "opaque"
)

// envelope is the JSON form: the kind beside the value.
type envelope struct {
	Kind  string          `json:"kind"`
	Value json.RawMessage `json:"value"`
}

// Encode returns the JSON form of a, with its kind. Nil and a pointer to an
// artifact have none.
func Encode(a Artifact) ([]byte, error) {
	kind := kindOf(a)
	if kind == "" {
		return nil, fmt.Errorf("encoding artifact: a %T is of no kind", a)
	}
	value, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encoding %s artifact: %w", kind, err)
	}
	return json.Marshal(envelope{Kind: kind, Value: value})
}

// kindOf returns the kind of a, or "" where it has none.
func kindOf(a Artifact) string {
	switch a.(type) {
	case Image:
		return kindImage
	case Files:
		return kindFiles
	case MachineImage:
		return kindMachineImage
	case None:
		return kindNone
	case Opaque:
		return kindOpaque
	}
	return ""
}

// Decode is the inverse of [Encode].
func Decode(data []byte) (Artifact, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("decoding artifact: %w", err)
	}
	switch e.Kind {
	case kindImage:
		return decode[Image](e)
	case kindFiles:
		return decode[Files](e)
	case kindMachineImage:
		return decode[MachineImage](e)
	case kindNone:
		return None{}, nil
	case kindOpaque:
		return decode[Opaque](e)
	}
	return nil, fmt.Errorf("decoding artifact: kind %q is not known to this version", e.Kind)
}

func decode[A Artifact](e envelope) (Artifact, error) {
	var a A
	if err := json.Unmarshal(e.Value, &a); err != nil {
		return nil, fmt.Errorf("decoding %s artifact: %w", e.Kind, err)
	}
	return a, nil
}
