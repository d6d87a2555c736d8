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

// Encode returns the JSON form of a, with its kind.
func Encode(a Artifact) ([]byte, error) {
	value, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encoding artifact: %w", err)
	}
	return json.Marshal(envelope{Kind: kindOf(a), Value: value})
}

func kindOf(a Artifact) string {
	switch a.(type) {
	case Image:
		return kindImage
	case Files:
		return kindFiles
	case MachineImage:
		return kindMachineImage
	case Opaque:
		return kindOpaque
	default:
		return kindNone
	}
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
