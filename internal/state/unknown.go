package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// MarshalJSON implements [json.Marshaler]; it writes Unknown back.
func (r Record) MarshalJSON() ([]byte, error) {
	type fields Record
	return marshalKeeping(fields(r), r.Unknown)
}

// UnmarshalJSON implements [json.Unmarshaler]; what has no field goes to
// Unknown.
func (r *Record) UnmarshalJSON(data []byte) error {
	type fields Record
	read := fields{}
	unknown, err := unmarshalKeeping(data, &read)
	if err != nil {
		return err
	}
	*r = Record(read)
	r.Unknown = unknown
	return nil
}

// MarshalJSON implements [json.Marshaler]; it writes Unknown back.
func (o Origin) MarshalJSON() ([]byte, error) {
	type fields Origin
	return marshalKeeping(fields(o), o.Unknown)
}

// UnmarshalJSON implements [json.Unmarshaler]; what has no field goes to
// Unknown.
func (o *Origin) UnmarshalJSON(data []byte) error {
	type fields Origin
	read := fields{}
	unknown, err := unmarshalKeeping(data, &read)
	if err != nil {
		return err
	}
	*o = Origin(read)
	o.Unknown = unknown
	return nil
}

// marshalKeeping encodes a struct and puts the unknown members behind its own.
func marshalKeeping(v any, unknown string) ([]byte, error) {
	encoded, err := json.Marshal(v)
	if err != nil || unknown == "" {
		return encoded, err
	}
	encoded = bytes.TrimSuffix(encoded, []byte("}"))
	if len(encoded) > len("{") {
		encoded = append(encoded, ',')
	}
	encoded = append(encoded, unknown...)
	return append(encoded, '}'), nil
}

// unmarshalKeeping decodes a JSON object into v, a pointer to a struct, and
// returns the members that have no field there, in the order of their names.
func unmarshalKeeping(data []byte, v any) (unknown string, err error) {
	// Nearly every object is of our own version: one pass is enough for it.
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if strict.Decode(v) == nil {
		return "", nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return "", err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return "", err
	}
	known := fieldNames(v)
	var kept []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		// The decoder matches names without regard to case.
		if slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			continue
		}
		member, err := json.Marshal(map[string]json.RawMessage{name: members[name]})
		if err != nil {
			return "", fmt.Errorf("keeping field %q: %w", name, err)
		}
		kept = append(kept, string(member[1:len(member)-1]))
	}
	return strings.Join(kept, ","), nil
}

// fieldNames returns the JSON names of the fields of the struct that v points
// to.
func fieldNames(v any) []string {
	var names []string
	for field := range reflect.TypeOf(v).Elem().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "-" {
			names = append(names, name)
		}
	}
	return names
}
