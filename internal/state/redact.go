package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// SecretError says that a field of a record held a known secret. The record
// was kept with the secret masked.
type SecretError struct {
	Field string // path in the record's JSON, e.g. "result.env.TOKEN"
}

// Error implements error.
func (e *SecretError) Error() string {
	return fmt.Sprintf("field %q of the record held a secret, which was stored as ***: "+
		"records can be read by others, so keep the secret out of this value or replace the secret", e.Field)
}

// Redact returns r with every known secret masked, and one [*SecretError],
// joined, for each field that held one. Every store calls it before it writes.
//
// What identifies a record (ID, status, project, app, workspace, deployment
// and the like) is left alone, and so are the names of JSON objects: a record
// that cannot be found or read any more is lost, and those are names, which
// were never computed from a secret.
func Redact(r Record, secrets *secret.Set) (Record, error) {
	x := redactor{secrets: secrets}
	r.Labels = maps.Clone(r.Labels)
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		r.Labels[name] = x.text("labels."+name, r.Labels[name])
	}
	r.Digest = x.text("digest", r.Digest)
	r.URL = x.text("url", r.URL)
	r.Message = x.text("message", r.Message)
	r.Config = x.raw("config", r.Config)
	r.Result = x.raw("result", r.Result)
	r.Unknown = x.members("", r.Unknown)
	for name, value := range map[string]*string{
		"commit": &r.Origin.Commit, "ref": &r.Origin.Ref, "event": &r.Origin.Event,
		"workflow": &r.Origin.Workflow, "job": &r.Origin.Job, "actor": &r.Origin.Actor,
		"triggering_actor": &r.Origin.TriggeringActor, "reason": &r.Origin.Reason,
		"version": &r.Origin.Version, "binary": &r.Origin.Binary, "config_hash": &r.Origin.ConfigHash,
	} {
		*value = x.text("origin."+name, *value)
	}
	r.Origin.Unknown = x.members("origin.", r.Origin.Unknown)
	return r, x.err()
}

// redactor masks values and remembers the fields in which it found a secret.
type redactor struct {
	secrets *secret.Set
	fields  []string
}

func (x *redactor) err() error {
	var errs []error
	for _, field := range slices.Sorted(slices.Values(x.fields)) {
		errs = append(errs, &SecretError{Field: field})
	}
	return errors.Join(errs...)
}

func (x *redactor) text(field, value string) string {
	masked := x.secrets.RedactString(value)
	if masked != value {
		x.fields = append(x.fields, field)
	}
	return masked
}

// raw masks the values inside a JSON value. It returns what is no JSON as it
// is, because such a record is refused when it is encoded.
func (x *redactor) raw(field string, value json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var decoded any
	if decoder.Decode(&decoded) != nil {
		return value
	}
	found := len(x.fields)
	decoded = x.value(field, decoded)
	if len(x.fields) == found {
		return value
	}
	encoded, err := json.Marshal(decoded)
	if err != nil {
		// What was decoded can be encoded; if not, the value must go.
		return json.RawMessage(`"***"`)
	}
	return encoded
}

func (x *redactor) value(field string, v any) any {
	switch v := v.(type) {
	case string:
		return x.text(field, v)
	case json.Number:
		if masked := x.text(field, v.String()); masked != v.String() {
			return masked
		}
	case []any:
		for i := range v {
			v[i] = x.value(fmt.Sprintf("%s[%d]", field, i), v[i])
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			v[name] = x.value(field+"."+name, v[name])
		}
	}
	return v
}

// members masks the values of JSON members that stand without their braces.
func (x *redactor) members(prefix, members string) string {
	if members == "" {
		return ""
	}
	object := x.raw(prefix+"unknown", json.RawMessage("{"+members+"}"))
	return string(object[1 : len(object)-1])
}
