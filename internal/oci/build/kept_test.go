package build_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// TestCacheKeepsTheBase unpacks a base again and again, each time with a layout of
// its own. In a folder that lasts only the first build fetches the base's layers;
// in another one, which learns that it does, the second as well. What is damaged
// is fetched anew.
func TestCacheKeepsTheBase(t *testing.T) {
	t.Parallel()
	cut := func(name string) error { return os.Truncate(name, 20) }
	flip := func(name string) error {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		data[len(data)/2] ^= 0xff
		return os.WriteFile(name, data, 0o644)
	}
	tests := map[string]struct {
		lasting bool
		change  func(name string) error // what happens to the layers before the last build
		fetched []int                   // layers that each build fetches
		told    bool                    // whether the last one tells of damage
	}{
		"used":              {lasting: true, fetched: []int{2, 0, 0}},
		"worth it later":    {fetched: []int{2, 2, 0}},
		"cut off":           {lasting: true, change: cut, fetched: []int{2, 0, 2}, told: true},
		"other content":     {lasting: true, change: flip, fetched: []int{2, 0, 2}, told: true},
		"removed meanwhile": {lasting: true, change: os.Remove, fetched: []int{2, 0, 2}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(t)
			dir := t.TempDir()
			write(t, dir, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /\nCOPY b /\n", "a": "A", "b": "B"})
			base := newRequest(t, dir)
			to := artifact.Repository{Name: c.host + "/acme/base"}
			image := artifact.Image{Layout: base.Layout.Dir(), Digest: digestOf(t, base)}
			if _, err := c.client.Push(t.Context(), oci.PushRequest{Image: image, To: to, Tag: "v1"}); err != nil {
				t.Fatal(err)
			}
			steps := filepath.Join(t.TempDir(), "steps")
			dir = t.TempDir()
			for i, want := range test.fetched {
				if i == 2 && test.change != nil {
					changeLayers(t, steps, test.change)
				}
				write(t, dir, map[string]string{"Dockerfile": fmt.Sprintf("FROM scratch\nCOPY --from=%s:v1 /a /b /out%d/\n", to.Name, i)})
				req := newRequest(t, dir)
				req.Client, req.Steps, req.Lasting = c.client, steps, test.lasting
				var notes []string
				req.Note = func(text string) { notes = append(notes, text) }
				c.requests()
				built := entries(t, buildImage(t, req))
				fetched := len(matching(c.requests(), "GET", "/blobs/"))
				if i == 0 {
					fetched-- // the configuration
				}
				if fetched != want {
					t.Errorf("build %d fetches %d layers, want %d", i+1, fetched, want)
				}
				if diff := cmp.Diff([]string{fmt.Sprintf("644 0:0 out%d/a=A", i), fmt.Sprintf("644 0:0 out%d/b=B", i)}, built[1:]); diff != "" {
					t.Errorf("build %d (-want +got):\n%s", i+1, diff)
				}
				told := slices.ContainsFunc(notes, func(text string) bool { return strings.HasPrefix(text, "A layer of the cache cannot be used") })
				if told != (i == 2 && test.told) {
					t.Errorf("build %d tells %q", i+1, notes)
				}
			}
		})
	}
}

// changeLayers calls change for the layers that a cache keeps.
func changeLayers(t *testing.T, steps string, change func(name string) error) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(steps, "layers", "*"))
	if err != nil || len(names) != 2 {
		t.Fatalf("the cache keeps %v, %v; want two layers", names, err)
	}
	for _, name := range names {
		if err := change(name); err != nil {
			t.Fatal(err)
		}
	}
}
