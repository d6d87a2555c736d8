package engine_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/state"
)

// talker is a builder that has something to say of its artifact.
type talker struct{}

// Build implements [component.Builder].
func (talker) Build(_ context.Context, req component.BuildRequest) (artifact.Image, error) {
	req.Label("common/languages", "go")
	req.Label("common/command", "server")
	return artifact.Image{Repository: "shop/web", Digest: "sha256:one"}, nil
}

// TestArtifactLabels shows where labels go that a builder makes up: to the
// records of the artifact, beside the file's own, which stay.
func TestArtifactLabels(t *testing.T) {
	t.Parallel()
	const file = `
project = "shop"

app "web" {
  build {
    labels = { "common/command" = "mine" }
    use "talker" {}
  }
  deploy {
    use "world" {}
  }
}
`
	plugin := component.Plugin{
		Name: "talker",
		Builder: component.NewBuilder(func(component.Host, struct{}) (component.Builder[artifact.Image], error) {
			return talker{}, nil
		}),
	}
	w := newWorld(t)
	if _, err := w.engine(t, file, plugin).Up(t.Context(), defaults); err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]string{}
	for record, err := range w.store.List(t.Context(), state.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got[record.Operation] = record.Labels
	}
	own := map[string]string{"waypoint/workspace": "default"}
	made := map[string]string{"waypoint/workspace": "default", "common/command": "mine", "common/languages": "go"}
	pushed := map[string]string{"waypoint/workspace": "default", "common/command": "server", "common/languages": "go"}
	want := map[string]map[string]string{"build": made, "push": pushed, "deploy": own, "release": own}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels of records (-want +got):\n%s", diff)
	}
}
