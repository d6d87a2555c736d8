package state_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/deploy-action/deploy-action/internal/state"
)

var update = flag.Bool("update", false, "rewrite the golden file of the newest schema")

// golden is what testdata/schema1.json holds, unzipped.
func golden() (state.Header, []state.Record) {
	full := record("01ARZ3NDEKTSV4RRFFQ69G5FAV", state.Succeeded)
	full.Labels = map[string]string{"team": "checkout"}
	full.Config = json.RawMessage(`{"ports":[80]}`)
	full.Deployment, full.Digest, full.URL = "web-abcdefghij", "sha256:00", "https://example.com"
	full.Parent, full.Message = "01ARZ3NDEKTSV4RRFFQ69G5FAU", "done"
	full.Result = json.RawMessage(`{"container":"c1"}`)
	full.Origin = state.Origin{
		Commit: "3f2c", Ref: "refs/heads/main", Event: "push", Workflow: ".github/workflows/deploy.yml@3f2c",
		Run: 812, Attempt: 2, Job: "deploy", Actor: "ann", TriggeringActor: "bob", Reason: "release",
		Version: "1.0.0", Binary: "sha256:01", ConfigHash: "h1", Unknown: `"runner":"large"`,
	}
	full.Ended = noon.Add(time.Minute)
	full.Unknown = `"retries":3`
	header := state.Header{Schema: 1, Path: "waypoint.hcl", Merged: []int64{11, 12}, Unknown: `"later":[1]`}
	header.Trimmed = state.Ranges{{Project: "shop", App: "web", Workspace: "production", Operation: "deploy", First: 1, Marks: "0A1B2C3D"}}
	return header, []state.Record{full, record("01ARZ3NDEKTSV4RRFFQ69G5FAU", state.Running)}
}

func encode(t *testing.T, h state.Header, records []state.Record) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := state.Encode(&file, h, records); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return zipped.Bytes()
}

func unzip(t *testing.T, zipped []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	wantHeader, wantRecords := golden()
	written := unzip(t, encode(t, wantHeader, wantRecords))
	if *update {
		if err := os.WriteFile("testdata/schema1.json", []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile("testdata/schema1.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(file), written); diff != "" {
		t.Errorf("what is written changed (-golden +got):\n%s", diff)
	}
	header, records, err := state.Decode(bytes.NewReader(zip(t, string(file))))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantHeader, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantRecords, records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	const header = `{"deploy-action":"state","schema":1}` + "\n"
	const line = `{"schema":1,"id":"A","status":"running","origin":{},"started":"2025-03-01T12:00:00Z"}` + "\n"
	whole := zip(t, header+strings.Repeat(line, 3))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-6] ^= 1 // in the checksum
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"empty":                   {nil, state.ErrTruncated},
		"one byte":                {whole[:1], state.ErrTruncated},
		"cut in gzip's header":    {whole[:7], state.ErrTruncated},
		"cut in the middle":       {whole[:len(whole)/2], state.ErrTruncated},
		"cut at the last byte":    {whole[:len(whole)-1], state.ErrTruncated},
		"text":                    {[]byte("hello"), state.ErrNotState},
		"state that is not gzip":  {[]byte(header), state.ErrNotState},
		"zipped nothing":          {zip(t, ""), state.ErrNotState},
		"zipped text":             {zip(t, "hello\n"), state.ErrNotState},
		"JSON of something else":  {zip(t, `{"version":4}`+"\n"), state.ErrNotState},
		"a journal's first line":  {zip(t, `{"deploy-action":"journal","schema":1}`+"\n"), state.ErrNotState},
		"no schema":               {zip(t, `{"deploy-action":"state"}`+"\n"), state.ErrNotState},
		"bad checksum":            {flipped, state.ErrDamaged},
		"something behind":        {append(bytes.Clone(whole), "garbage"...), state.ErrDamaged},
		"broken record":           {zip(t, header+`{"schema":1,`+"\n"), state.ErrDamaged},
		"record without ID":       {zip(t, header+`{"schema":1,"status":"running"}`+"\n"), state.ErrDamaged},
		"record of unknown state": {zip(t, header+`{"schema":1,"id":"A","status":"odd"}`+"\n"), state.ErrDamaged},
		"record without schema":   {zip(t, header+`{"id":"A","status":"running"}`+"\n"), state.ErrDamaged},
		"two records in a line":   {zip(t, header+strings.TrimSpace(line)+line), state.ErrDamaged},
		"record with a tail":      {zip(t, header+strings.TrimSpace(line)+"}\n"+line), state.ErrDamaged},
		"null record":             {zip(t, header+"null\n"), state.ErrDamaged},
		"line that does not end":  {zip(t, header+line[:20]), state.ErrDamaged},
		"too much to hold":        {zip(t, header+strings.Repeat(" ", 65<<20)), state.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, records, err := state.Decode(bytes.NewReader(c.file))
			if !errors.Is(err, c.want) {
				t.Errorf("Decode = %v, want %q", err, c.want)
			}
			if records != nil || !cmp.Equal(header, state.Header{}) {
				t.Errorf("Decode returned %v and %v beside the error", header, records)
			}
		})
	}
}

// TestDecodeManyRecords reads more than one goroutine does.
func TestDecodeManyRecords(t *testing.T) {
	t.Parallel()
	want := ups(300)
	want[700].Unknown, want[701].Origin.Unknown = `"later":1`, `"later":2`
	file := encode(t, state.Header{}, want)
	_, got, err := state.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	text := strings.Replace(unzip(t, file), `"id":"`+want[899].ID, `"id":"`, 1)
	_, _, err = state.Decode(bytes.NewReader(zip(t, text)))
	if !errors.Is(err, state.ErrDamaged) || !strings.Contains(err.Error(), "record 900: ") {
		t.Errorf("Decode = %v, want that record 900 is damaged", err)
	}
}

func TestDecodeRefusesNewerSchema(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"of the file":                    `{"deploy-action":"state","schema":7}`,
		"of the file, with other types":  `{"deploy-action":"state","schema":7,"path":["a"]}`,
		"of a record":                    `{"deploy-action":"state","schema":1}` + "\n" + `{"schema":7,"id":"A","status":"running"}`,
		"of a record, with other types":  `{"deploy-action":"state","schema":1}` + "\n" + `{"schema":7,"id":["A"]}`,
		"of a record, with other status": `{"deploy-action":"state","schema":1}` + "\n" + `{"schema":7,"id":"A","status":"paused"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := state.Decode(bytes.NewReader(zip(t, text+"\n")))
			newer, ok := errors.AsType[*state.NewerSchemaError](err)
			if !ok || newer.Found != 7 {
				t.Fatalf("Decode = %v, want a NewerSchemaError that found 7", err)
			}
			if !strings.Contains(err.Error(), "use the version that wrote it, or a newer one") {
				t.Errorf("%q does not say what to do", err)
			}
		})
	}
}

func TestDecodeKeepsTheReadersError(t *testing.T) {
	t.Parallel()
	whole := encode(t, state.Header{}, nil)
	cause := errors.New("connection lost")
	_, _, err := state.Decode(io.MultiReader(bytes.NewReader(whole[:15]), failingReader{cause}))
	if !errors.Is(err, cause) {
		t.Errorf("Decode = %v, want it to wrap %q", err, cause)
	}
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	t.Parallel()
	broken := record("A", state.Running)
	broken.Result = json.RawMessage(`{`)
	for name, r := range map[string]state.Record{
		"no ID":      record("", state.Running),
		"odd status": record("A", "odd"),
		"no JSON":    broken,
	} {
		if err := state.Encode(io.Discard, state.Header{}, []state.Record{r}); err == nil {
			t.Errorf("%s: Encode = nil, want an error", name)
		}
	}
}

func TestEncodeReportsAFailingWriter(t *testing.T) {
	t.Parallel()
	cause := errors.New("no room")
	_, records := golden()
	if err := state.Encode(failingWriter{cause}, state.Header{}, records); !errors.Is(err, cause) {
		t.Errorf("Encode = %v, want it to wrap %q", err, cause)
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// FuzzDecode feeds any text as the unzipped content, and any bytes as the file.
// What is accepted must come through another round unchanged.
func FuzzDecode(f *testing.F) {
	const header = `{"deploy-action":"state","schema":1,"path":"a","merged":[1],"new":{}}` + "\n"
	f.Add([]byte(header), true)
	f.Add([]byte(header+`{"schema":1,"id":"A","status":"running","origin":{"x":1},"started":"2025-03-01T12:00:00+01:00","y":"\ud800"}`), true)
	f.Add([]byte(`{"deploy-action":"state","schema":2}`), true)
	f.Add([]byte(header+`{"schema":1,"ID":"A","id":"B","STATUS":"failed","config": { "a" : 1 }}`), true)
	f.Add([]byte("hello"), false)
	f.Add([]byte("\x1f\x8b\x08"), false)
	f.Fuzz(func(t *testing.T, content []byte, zipped bool) {
		if zipped {
			content = zip(t, string(content))
		}
		header, records, err := state.Decode(bytes.NewReader(content))
		if err != nil {
			return
		}
		first := encode(t, header, records)
		header, records, err = state.Decode(bytes.NewReader(first))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, unzip(t, first))
		}
		if second := encode(t, header, records); !bytes.Equal(first, second) {
			t.Errorf("a second round changed it:\n%s\n%s", unzip(t, first), unzip(t, second))
		}
	})
}
