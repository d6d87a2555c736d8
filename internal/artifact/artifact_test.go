package artifact_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// golden is one artifact of each kind with its JSON, which records hold: it
// changes only by adding fields.
var golden = map[string]struct {
	artifact artifact.Artifact
	json     string
}{
	"image": {
		artifact.Image{Repository: "ghcr.io/shop/web", Tag: "v1", Digest: "sha256:00", Layout: "/l", Daemon: true, Architecture: "amd64"},
		`{"kind":"image","value":{"repository":"ghcr.io/shop/web","tag":"v1","digest":"sha256:00","layout":"/l","daemon":true,"architecture":"amd64"}}`,
	},
	"image, nearly empty": {artifact.Image{Repository: "web"}, `{"kind":"image","value":{"repository":"web"}}`},
	"files":               {artifact.Files{Path: "dist"}, `{"kind":"files","value":{"path":"dist"}}`},
	"machine image":       {artifact.MachineImage{ID: "ami-1", Region: "eu-west-1"}, `{"kind":"machine-image","value":{"id":"ami-1","region":"eu-west-1"}}`},
	"none":                {artifact.None{}, `{"kind":"none","value":{}}`},
	"opaque": {
		artifact.Opaque{Type: "x.Y", Value: []byte{0, 255}, Data: json.RawMessage(`{"a":[1]}`), Labels: map[string]string{"k": "v"}},
		`{"kind":"opaque","value":{"type":"x.Y","value":"AP8=","data":{"a":[1]},"labels":{"k":"v"}}}`,
	},
}

func TestCodec(t *testing.T) {
	t.Parallel()
	for name, c := range golden {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			encoded, err := artifact.Encode(c.artifact)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.json, string(encoded)); diff != "" {
				t.Errorf("Encode (-want +got):\n%s", diff)
			}
			decoded, err := artifact.Decode([]byte(c.json))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.artifact, decoded); diff != "" {
				t.Errorf("Decode (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeIgnoresNewFields(t *testing.T) {
	t.Parallel()
	got, err := artifact.Decode([]byte(`{"kind":"files","value":{"path":"dist","later":1},"later":2}`))
	if err != nil || got != (artifact.Files{Path: "dist"}) {
		t.Errorf("Decode = %v, %v, want the files", got, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"nothing":      {``, "decoding artifact: unexpected end"},
		"no JSON":      {`hello`, "decoding artifact: invalid character"},
		"unknown kind": {`{"kind":"cassette","value":{}}`, `kind "cassette" is not known to this version`},
		"no kind":      {`{}`, `kind "" is not known`},
		"wrong type":   {`{"kind":"image","value":{"repository":1}}`, "decoding image artifact: "},
		"no value":     {`{"kind":"image"}`, "decoding image artifact: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := artifact.Decode([]byte(c.in))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Decode(%s) = %v, %v, want an error with %q", c.in, a, err, c.want)
			}
		})
	}
}

// TestEncodeRefuses covers values that satisfy the interface and are of no
// kind: to write them as another kind would lose them.
func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]artifact.Artifact{
		"nil":         nil,
		"pointer":     &artifact.Image{Repository: "web"},
		"broken data": artifact.Opaque{Data: json.RawMessage(`{`)},
	} {
		if encoded, err := artifact.Encode(a); err == nil {
			t.Errorf("%s: Encode = %s, want an error", name, encoded)
		}
	}
}

func TestImageReference(t *testing.T) {
	t.Parallel()
	for want, image := range map[string]artifact.Image{
		"web":                     {Repository: "web"},
		"web:v1":                  {Repository: "web", Tag: "v1"},
		"web@sha256:00":           {Repository: "web", Digest: "sha256:00"},
		"localhost:5000/web:v1@d": {Repository: "localhost:5000/web", Tag: "v1", Digest: "d"},
	} {
		if got := image.Reference(); got != want {
			t.Errorf("%+v.Reference() = %q, want %q", image, got, want)
		}
	}
}

func TestVars(t *testing.T) {
	t.Parallel()
	s := cty.StringVal
	for name, c := range map[string]struct {
		artifact artifact.Artifact
		want     map[string]cty.Value
	}{
		"image in a registry": {
			artifact.Image{Repository: "web", Tag: "v1", Digest: "d", Architecture: "arm64"},
			map[string]cty.Value{
				"image": s("web"), "repository": s("web"), "tag": s("v1"), "digest": s("d"),
				"reference": s("web:v1@d"), "architecture": s("arm64"), "location": s("registry"),
			},
		},
		"image in the engine": {
			artifact.Image{Repository: "web", Daemon: true},
			map[string]cty.Value{
				"image": s("web"), "repository": s("web"), "tag": s(""), "digest": s(""),
				"reference": s("web"), "architecture": s(""), "location": s("docker"),
			},
		},
		"files":         {artifact.Files{Path: "/p"}, map[string]cty.Value{"path": s("/p")}},
		"machine image": {artifact.MachineImage{ID: "i", Region: "r"}, map[string]cty.Value{"image": s("i"), "id": s("i"), "region": s("r")}},
		"none":          {artifact.None{}, map[string]cty.Value{}},
		"opaque": {
			artifact.Opaque{Data: json.RawMessage(`{"a":"x","b":null}`)},
			map[string]cty.Value{"a": s("x"), "b": cty.NullVal(cty.DynamicPseudoType)},
		},
		"opaque, empty object": {artifact.Opaque{Data: json.RawMessage(`{}`)}, map[string]cty.Value{}},
		"opaque, no data":      {artifact.Opaque{}, map[string]cty.Value{}},
		"opaque, no object":    {artifact.Opaque{Data: json.RawMessage(`[1]`)}, map[string]cty.Value{}},
		"opaque, null":         {artifact.Opaque{Data: json.RawMessage(`null`)}, map[string]cty.Value{}},
		"opaque, broken":       {artifact.Opaque{Data: json.RawMessage(`{"a"`)}, map[string]cty.Value{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same := cmp.Comparer(func(a, b cty.Value) bool { return a.RawEquals(b) })
			if diff := cmp.Diff(c.want, c.artifact.Vars(), same); diff != "" {
				t.Errorf("Vars (-want +got):\n%s", diff)
			}
		})
	}
}

// TestVarsHaveTheSameKeys is what lets configuration be checked before a build.
func TestVarsHaveTheSameKeys(t *testing.T) {
	t.Parallel()
	keys := func(a artifact.Artifact) []string { return slices.Sorted(maps.Keys(a.Vars())) }
	for _, pair := range [][2]artifact.Artifact{
		{artifact.Image{}, golden["image"].artifact},
		{artifact.Files{}, golden["files"].artifact},
		{artifact.MachineImage{}, golden["machine image"].artifact},
	} {
		if diff := cmp.Diff(keys(pair[0]), keys(pair[1])); diff != "" {
			t.Errorf("keys of %T differ (-zero +full):\n%s", pair[0], diff)
		}
	}
}
