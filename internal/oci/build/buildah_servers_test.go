//go:build servers

package build_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/testkit/imagetree"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// TestBuildah has another program read an image, write it again and run a command
// in it: all files are as they were meant.
func TestBuildah(t *testing.T) {
	t.Parallel()
	store := servers.Buildah(t)
	dir := runDir(t, map[string]string{"tree/a": "A", "tree/deep/b": "B", "tree/link": "→deep/b", "tree/old/c": "C", "tree/old/d": "D"})
	write(t, dir, map[string]string{"Dockerfile": shell + "COPY --chown=5:6 tree /tree\nCOPY --chmod=4755 tree/a /setuid\n" +
		"RUN ln /tree/a /tree/hard && mkfifo /pipe && chmod 1777 /tree/deep && chown 7:8 /tree/deep/b\n" +
		"RUN rm -r /tree/old && mkdir /tree/old && echo new > /tree/old/e && rm /tree/link && echo $HOME > /tree/link\n" +
		"ENV GREETING=hello\nUSER 7:8\nCMD [\"/bin/sh\"]\n"})
	req := runRequest(t, dir)
	image := buildImage(t, req)
	container := store.From(t, req.Layout.Dir())
	layout := store.Commit(t, container)
	again, err := req.Client.Fetch(t.Context(), artifact.Image{Layout: layout}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	want, err := imagetree.Read(image)
	if err != nil {
		t.Fatal(err)
	}
	got, err := imagetree.Read(again)
	if err != nil {
		t.Fatal(err)
	}
	// After the commit, for it leaves what it mounts on.
	if got := store.Run(t, "run", "--isolation", "chroot", container, "--", "/bin/sh", "-c", `echo "$GREETING $(id -u) $(cat /tree/old/*)"`); got != "hello 7 new" {
		t.Errorf("a command says %q", got)
	}
	for _, line := range imagetree.Diff(want, got) {
		t.Error(line)
	}
	lines := want.Lines()
	for name, part := range map[string]string{"tree/hard": "linked as", "setuid": "4755", "tree/old/e": "file"} {
		if !strings.Contains(lines[name], part) {
			t.Errorf("%s is %q, want one with %q, so that something is compared", name, lines[name], part)
		}
	}
	if found, err := filepath.Glob(filepath.Join(layout, "blobs", "sha256", "*")); err != nil || len(found) != 3 {
		t.Errorf("the other image has the files %q, %v, want one layer", found, err)
	}
}
