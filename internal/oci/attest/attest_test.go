package attest_test

import (
	"archive/tar"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/google/go-cmp/cmp"
	attestation "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/attest"
)

// job is what a runner tells of a job.
var job = map[string]string{
	"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_REF": "refs/heads/main",
	"GITHUB_RUN_ID": "812", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_EVENT_NAME": "push", "GITHUB_REPOSITORY_ID": "7",
	"GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/deploy.yml@refs/heads/main", "GITHUB_TOKEN": "ghs_secret",
}

func newLayout(t *testing.T, files map[string]string) (*oci.Layout, string) {
	t.Helper()
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	layer, err := layout.AddLayer(t.Context(), func(_ context.Context, archive *tar.Writer) error {
		for name, content := range files {
			if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content))}); err != nil {
				return err
			}
			if _, err := io.WriteString(archive, content); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layout.AddImage(oci.NewImage{Layers: []oci.Layer{layer}})
	if err != nil {
		t.Fatal(err)
	}
	return layout, digest
}

// checkout returns a repository with one commit.
func checkout(t *testing.T, origin string) (dir, commit string) {
	t.Helper()
	dir = t.TempDir()
	repository, err := git.PlainInit(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repository.CreateRemote(&config.RemoteConfig{Name: "origin", URLs: []string{origin}}); err != nil {
		t.Fatal(err)
	}
	tree, err := repository.Worktree()
	if err != nil {
		t.Fatal(err)
	}
	who := &object.Signature{Name: "a", Email: "a@example.com"}
	hash, err := tree.Commit("first", &git.CommitOptions{AllowEmptyCommits: true, Author: who})
	if err != nil {
		t.Fatal(err)
	}
	return dir, hash.String()
}

// attached reads what a layout knows about an image, by type.
func attached(t *testing.T, layout *oci.Layout, digest string) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(layout.Dir(), "attached", strings.TrimPrefix(digest, "sha256:")+".json"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []oci.Attachment
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	byType := map[string][]byte{}
	for _, a := range list {
		byType[a.Type] = a.Content
	}
	return byType
}

func request(layout *oci.Layout, digest string) attest.Request {
	return attest.Request{
		Layout: layout, Client: oci.Client{HTTP: &http.Client{}}, Name: "ghcr.io/acme/web", Digest: digest,
		Finished: time.Unix(1700000060, 0), Getenv: func(string) string { return "" },
	}
}

func TestProvenance(t *testing.T) {
	t.Parallel()
	layout, digest := newLayout(t, map[string]string{"app": "A"})
	folder, commit := checkout(t, "https://x-access-token:ghs_secret@github.com/acme/shop.git")
	req := request(layout, digest)
	req.Getenv = func(name string) string {
		if name == "GITHUB_SHA" {
			return commit
		}
		return job[name]
	}
	req.Provenance = &attest.Build{
		Kind: "use-docker", Folder: folder, Started: time.Unix(1700000000, 0),
		Parameters: map[string]any{"dockerfile": "Dockerfile", "build_args": []string{"VERSION"}},
		Bases:      []attest.Base{{Name: "docker.io/library/debian:12", Digest: "sha256:" + strings.Repeat("ab", 32)}},
	}
	if err := attest.Attach(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	content := attached(t, layout, digest)["application/vnd.in-toto+json"]
	if strings.Contains(string(content), "ghs_secret") {
		t.Errorf("a token is in the statement: %s", content)
	}
	var statement attestation.Statement
	if err := protojson.Unmarshal(content, &statement); err != nil {
		t.Fatal(err)
	}
	if err := statement.Validate(); err != nil {
		t.Error(err)
	}
	var got struct {
		Subject, Predicate any
		PredicateType      string
	}
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	if got.PredicateType != "https://slsa.dev/provenance/v1" {
		t.Errorf("the statement is %s", got.PredicateType)
	}
	wantSubject := []any{map[string]any{"name": "ghcr.io/acme/web", "digest": map[string]any{"sha256": strings.TrimPrefix(digest, "sha256:")}}}
	if diff := cmp.Diff(wantSubject, got.Subject); diff != "" {
		t.Errorf("subject (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantPredicate(t, commit), withoutVersion(t, got.Predicate)); diff != "" {
		t.Errorf("predicate (-want +got):\n%s", diff)
	}
}

// wantPredicate is what is known of the build in [TestProvenance].
func wantPredicate(t *testing.T, commit string) any {
	t.Helper()
	text := `{
		"buildDefinition": {
			"buildType": "https://github.com/deploy-action/deploy-action/blob/main/docs/supply-chain.md#use-docker",
			"externalParameters": {
				"dockerfile": "Dockerfile", "build_args": ["VERSION"],
				"workflow": {"repository": "https://github.com/acme/shop", "path": ".github/workflows/deploy.yml", "ref": "refs/heads/main"}
			},
			"internalParameters": {"github": {"event_name": "push", "repository_id": "7"}},
			"resolvedDependencies": [
				{"name": "source", "uri": "git+https://github.com/acme/shop@refs/heads/main", "digest": {"gitCommit": "COMMIT"}},
				{"name": "docker.io/library/debian:12", "digest": {"sha256": "DIGEST"},
				 "uri": "pkg:oci/debian@sha256%3ADIGEST?repository_url=docker.io%2Flibrary%2Fdebian"}
			]
		},
		"runDetails": {"metadata": {
			"invocationId": "https://github.com/acme/shop/actions/runs/812/attempts/2",
			"startedOn": "2023-11-14T22:13:20Z", "finishedOn": "2023-11-14T22:14:20Z"
		}}
	}`
	var want any
	text = strings.NewReplacer("COMMIT", commit, "DIGEST", strings.Repeat("ab", 32)).Replace(text)
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	return want
}

// withoutVersion checks the builder, whose version differs from build to build,
// and takes it out.
func withoutVersion(t *testing.T, predicate any) any {
	t.Helper()
	all, ok := predicate.(map[string]any)
	if !ok {
		t.Fatalf("the predicate is %v", predicate)
	}
	details, ok := all["runDetails"].(map[string]any)
	if !ok {
		t.Fatalf("the predicate is %v", predicate)
	}
	builder, ok := details["builder"].(map[string]any)
	if id, _ := builder["id"].(string); !ok || !strings.HasPrefix(id, "https://github.com/deploy-action/deploy-action@") {
		t.Errorf("the builder is %v", details["builder"])
	}
	delete(details, "builder")
	return predicate
}

// TestProvenanceOnTerminal has neither a run nor a repository.
func TestProvenanceOnTerminal(t *testing.T) {
	t.Parallel()
	layout, digest := newLayout(t, nil)
	for name, origin := range map[string]string{"a folder": "", "a clone on this machine": "/srv/shop.git", "by ssh": "git@github.com:acme/shop.git"} {
		t.Run(name, func(t *testing.T) {
			folder, want := t.TempDir(), ""
			if origin != "" {
				folder, want = checkout(t, origin)
			}
			req := request(layout, digest)
			req.Provenance = &attest.Build{Kind: "use-go", Folder: folder, Parameters: map[string]any{"package": "."}}
			if err := attest.Attach(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			content := string(attached(t, layout, digest)["application/vnd.in-toto+json"])
			if !strings.Contains(content, want) || strings.Contains(content, "/srv") || strings.Contains(content, "invocationId") {
				t.Errorf("the statement is %s", content)
			}
			if name == "by ssh" && !strings.Contains(content, `"git+ssh://github.com/acme/shop"`) {
				t.Errorf("the statement does not name the repository: %s", content)
			}
		})
	}
}

// TestPackages lists those of the images of an index, which itself has none, and
// then nothing any more.
func TestPackages(t *testing.T) {
	t.Parallel()
	layout, digest := newLayout(t, map[string]string{"var/lib/dpkg/status": "Package: a\nVersion: 1\n\nPackage: odd\n\n"})
	index := "sha256:" + strings.Repeat("cd", 32)
	req := request(layout, index)
	var notes []string
	req.Images, req.Packages, req.Temp = []string{digest}, true, t.TempDir()
	req.Note = func(text string) { notes = append(notes, text) }
	if err := attest.Attach(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if got := string(attached(t, layout, digest)["application/spdx+json"]); !strings.Contains(got, "pkg:deb/debian/a@1") {
		t.Errorf("the list of the image is %q", got)
	}
	if got := attached(t, layout, index); got != nil {
		t.Errorf("attached to the index: %q", got)
	}
	if want := "The list of packages is not complete: var/lib/dpkg/status: it names packages with no version, or with odd characters, and they are left out"; len(notes) != 1 || notes[0] != want {
		t.Errorf("notes are %q, want %q", notes, want)
	}
	req.Packages = false
	if err := attest.Attach(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if got := attached(t, layout, digest); got != nil {
		t.Errorf("still attached: %q", got)
	}
}
