package build_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// TestServeSibling carries out orders as they arrive in a second container: the
// image is the one that is built without.
func TestServeSibling(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"Dockerfile": "FROM scratch\nARG NAME\nCOPY --chown=5:6 a /$NAME\n", "a": "A"})
	req := newRequest(t, dir)
	req.Args, req.Labels = map[string]string{"NAME": "b"}, map[string]string{"l": "1"}
	want, err := build.Build(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	order := map[string]any{
		"Root": dir, "Context": dir, "Dockerfile": filepath.Join(dir, "Dockerfile"), "Platform": "linux/amd64",
		"Args": req.Args, "Labels": req.Labels, "Layout": filepath.Join(t.TempDir(), "layout"), "Environ": []string{"HTTP_PROXY=p"},
	}
	said := serveSibling(t, order)
	if want := `{"Result":{"Digest":"` + want.Digest + `","Architecture":"amd64","Bases":{}}}`; said[len(said)-1] != want {
		t.Errorf("the end is %s, want %s", said[len(said)-1], want)
	}
	if !slices.ContainsFunc(said, func(line string) bool { return strings.Contains(line, `"Title":"[1/1] COPY --chown=5:6 a /b"`) }) {
		t.Errorf("there is no step in %q", said)
	}
	order["Dockerfile"] = filepath.Join(dir, "Other")
	said = serveSibling(t, order)
	if want := `{"Failed":{"Text":"","Problem":{"Summary":"Missing Dockerfile"`; !strings.HasPrefix(said[len(said)-1], want) {
		t.Errorf("the end is %s, want %s", said[len(said)-1], want)
	}
}

// serveSibling returns the lines that come of an order.
func serveSibling(t *testing.T, order map[string]any) []string {
	t.Helper()
	data, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	input, waiting := io.Pipe() // whoever ordered it waits
	defer waiting.Close()
	var out bytes.Buffer
	err = build.ServeSibling(t.Context(), io.MultiReader(bytes.NewReader(data), input), &out, func(environ []string) (*http.Client, error) {
		if !slices.Equal(environ, []string{"HTTP_PROXY=p"}) {
			t.Errorf("the client is made by %q", environ)
		}
		return &http.Client{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}
