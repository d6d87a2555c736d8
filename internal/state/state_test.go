package state_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
)

var noon = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)

// record returns a small valid record.
func record(id string, status state.Status) state.Record {
	return state.Record{
		Schema: state.Schema, ID: id, Operation: "deploy", Status: status,
		Project: "shop", App: "web", Workspace: "production", Plugin: "docker", Sequence: 1, Started: noon,
	}
}

func TestUnknownFieldsSurvive(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"none":           `{"id":"A","origin":{}}`,
		"at the top":     `{"id":"A","later":{"x":[1,null]},"origin":{}}`,
		"in the origin":  `{"id":"A","origin":{"commit":"c","cause":"b"}}`,
		"in both":        `{"id":"A","origin":{"cause":"b"},"a":1,"z":"<&>"}`,
		"only unknown":   `{"origin":{"cause":"b"},"z":1}`,
		"name to escape": `{"origin":{},"a\"b":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r state.Record
			if err := json.Unmarshal([]byte(in), &r); err != nil {
				t.Fatal(err)
			}
			r.Status = state.Destroyed // as an older version does it
			out, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var before, after map[string]any
			if err := errors.Join(json.Unmarshal([]byte(in), &before), json.Unmarshal(out, &after)); err != nil {
				t.Fatal(err)
			}
			for name, want := range before {
				if diff := cmp.Diff(want, after[name]); diff != "" {
					t.Errorf("field %q changed (-want +got):\n%s", name, diff)
				}
			}
			if strings.Count(string(out), `"id"`) != 1 {
				t.Errorf("%s: a field of ours was written twice", out)
			}
		})
	}
}

func TestUnknownIsNotWhatOnlyDiffersInCase(t *testing.T) {
	t.Parallel()
	var r state.Record
	if err := json.Unmarshal([]byte(`{"ID":"A","new":1}`), &r); err != nil {
		t.Fatal(err)
	}
	if r.ID != "A" || r.Unknown != `"new":1` {
		t.Errorf("ID = %q, Unknown = %q, want A and the new field alone", r.ID, r.Unknown)
	}
}

func TestNewID(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 100 {
		id := state.NewID(noon.Add(time.Duration(i) * time.Millisecond))
		if len(id) != 26 || strings.Trim(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
			t.Errorf("NewID = %q, want 26 characters of Crockford's base32", id)
		}
		ids = append(ids, id)
	}
	if !slices.IsSorted(ids) {
		t.Errorf("IDs do not sort by time: %q", ids)
	}
	if a, b := state.NewID(noon), state.NewID(noon); a == b || a[:10] != b[:10] {
		t.Errorf("NewID gave %q and %q for one moment, want the same time and different chance", a, b)
	}
	if got, want := state.NewID(time.UnixMilli(1469918176385))[:10], "01ARYZ6S41"; got != want {
		t.Errorf("time part = %q, want %q as in the ULID specification", got, want)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	const password = `p"ss<word>\1234`
	secrets := &secret.Set{}
	secrets.Add(password)
	secrets.Add("production")
	secrets.Add("1234567890")

	nested, err := json.Marshal(map[string]any{"env": []any{"x", map[string]string{"PASSWORD": "=" + password}}, "pin": 1234567890, "n": 5})
	if err != nil {
		t.Fatal(err)
	}
	r := record("A", state.Failed)
	r.Labels = map[string]string{"note": password}
	r.Config = json.RawMessage(`{"region":"eu"}`)
	r.Result = nested
	r.Message = "login with " + password
	r.Origin.Reason = password
	r.Unknown = `"later":"` + "1234567890" + `"`
	labels := r.Labels

	got, err := state.Redact(r, secrets)

	want := record("A", state.Failed)
	want.Labels = map[string]string{"note": "***"}
	want.Config = r.Config
	want.Result = json.RawMessage(`{"env":["x",{"PASSWORD":"=***"}],"n":5,"pin":"***"}`)
	want.Message = "login with ***"
	want.Origin.Reason = "***"
	want.Unknown = `"later":"***"`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Redact (-want +got):\n%s", diff)
	}
	if labels["note"] != password {
		t.Error("Redact changed the caller's labels")
	}
	var fields []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		if e, ok := errors.AsType[*state.SecretError](e); ok {
			fields = append(fields, e.Field)
		}
	}
	wantFields := []string{"labels.note", "message", "origin.reason", "result.env[1].PASSWORD", "result.pin", "unknown.later"}
	if diff := cmp.Diff(wantFields, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if strings.Contains(err.Error(), password) {
		t.Errorf("the error shows the secret: %v", err)
	}
}

func TestRedactLeavesCleanRecords(t *testing.T) {
	t.Parallel()
	secrets := &secret.Set{}
	secrets.Add("production") // as a workspace's name it is no secret
	r := record("A", state.Running)
	r.Result = json.RawMessage(`{"b": 1, "a": 2}`)
	r.Unknown = `"x":1`
	for name, set := range map[string]*secret.Set{"some secrets": secrets, "nil set": nil} {
		got, err := state.Redact(r, set)
		if err != nil {
			t.Errorf("%s: Redact = %v", name, err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("%s: the record changed (-want +got):\n%s", name, diff)
		}
	}
}
