//go:build servers

package build_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/tools/txtar"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/imagetree"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// corpusFolder has one Dockerfile with its context in every archive. See its
// README for what they may hold.
const corpusFolder = "../../../testdata/dockerfiles"

// corpusOptions is the file build.json of an archive.
type corpusOptions struct {
	Args, Labels, Secrets map[string]string

	Target   string
	Platform string
	Fails    bool              // neither makes an image
	Refused  bool              // only this engine makes none
	Differs  map[string]string // paths in which the images differ on purpose, each with the reason
	Rungs    bool              // it is also built on the lower rungs
}

// TestCorpus builds every Dockerfile of the corpus with this engine and with
// BuildKit, and compares the images.
func TestCorpus(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("commands run as root here")
	}
	registry := servers.Registry(t, servers.RegistryConfig{})
	judge := corpusJudge{servers.BuildKit(t, registry.Host), registry.Host, &imagetree.Reader{}, lowerRungs(t)}
	pushBases(t, registry.Host)
	downloads := serveDownloads(t)
	paths, err := filepath.Glob(filepath.Join(corpusFolder, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("the corpus has %d Dockerfiles: %v", len(paths), err)
	}
	for _, path := range paths {
		title := strings.TrimSuffix(filepath.Base(path), ".txtar")
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			c := openCorpus(t, path)
			c.Args["SERVER"] = downloads
			judge.compare(t, title, c)
		})
	}
}

// lowerRungs are the ways to run commands that work here beside the best.
func lowerRungs(t *testing.T) []sandbox.Rung {
	t.Helper()
	var found []sandbox.Rung
	for _, rung := range []sandbox.Rung{sandbox.UserNamespace, sandbox.Swap} {
		if _, err := sandbox.Open(t.Context(), sandbox.Options{Work: t.TempDir(), Only: rung}); err == nil {
			found = append(found, rung)
		}
	}
	t.Logf("commands run in %s, and those of some also in: %v", sandbox.Mounts, found)
	return found
}

// corpusCase is an unpacked archive.
type corpusCase struct {
	corpusOptions
	dir string // the context, with the Dockerfile
}

// openCorpus unpacks an archive. Its prepare.sh makes what the format has no
// words for: links, modes, binary files.
func openCorpus(t *testing.T, path string) corpusCase {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, prepare := corpusCase{dir: t.TempDir()}, ""
	c.Args = map[string]string{}
	content := map[string]string{}
	for _, file := range archive.Files {
		switch file.Name {
		case "build.json":
			if err := json.Unmarshal(file.Data, &c.corpusOptions); err != nil {
				t.Fatalf("reading build.json: %v", err)
			}
		case "prepare.sh":
			prepare = string(file.Data)
		default:
			content[file.Name] = string(file.Data)
		}
	}
	write(t, c.dir, content)
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", prepare)
	cmd.Dir = c.dir
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("prepare.sh: %v\n%s", err, output)
	}
	return c
}

// request asks this engine for the image, whose bases are in a registry.
func (c corpusCase) request(t *testing.T, registry string) build.Request {
	t.Helper()
	req := runRequest(t, c.dir)
	req.Client = oci.Client{HTTP: &http.Client{Transport: mirror{registry}}}
	req.Args, req.Labels, req.Target = c.Args, c.Labels, c.Target
	if c.Platform != "" {
		req.Platform = c.Platform
	}
	req.Secrets = map[string]secret.Text{}
	for id, value := range c.Secrets {
		req.Secrets[id] = secret.Text(value)
	}
	return req
}

// arguments asks buildctl for the same.
func (c corpusCase) arguments(t *testing.T) []string {
	t.Helper()
	args := []string{"build", "--frontend", "dockerfile.v0", "--local", "context=" + c.dir, "--local", "dockerfile=" + c.dir, "--progress", "plain"}
	option := func(key, value string) {
		if value != "" {
			args = append(args, "--opt", key+"="+value)
		}
	}
	for key, value := range c.Args {
		option("build-arg:"+key, value)
	}
	for key, value := range c.Labels {
		option("label:"+key, value)
	}
	option("target", c.Target)
	option("platform", c.Platform)
	secrets := t.TempDir()
	write(t, secrets, c.Secrets)
	for id := range c.Secrets {
		args = append(args, "--secret", "id="+id+",src="+filepath.Join(secrets, id))
	}
	return args
}

// corpusJudge is BuildKit, with a registry for bases and its images.
type corpusJudge struct {
	buildkit *servers.BuildKitServer
	registry string
	reader   *imagetree.Reader
	rungs    []sandbox.Rung // of this engine, for cases that ask for them
}

// compare builds with both.
func (j corpusJudge) compare(t *testing.T, title string, c corpusCase) {
	t.Helper()
	reference := j.registry + "/judge:" + title
	output := "type=image,push=true,compression=uncompressed,name=" + reference
	judged := j.buildkit.Run(t.Context(), append(c.arguments(t), "--output", output)...)
	if failed := judged != nil; failed != c.Fails {
		t.Fatalf("BuildKit's build fails: %v, want %v: %v", failed, c.Fails, judged)
	}
	var want v1.Image
	if !c.Fails {
		parsed, err := name.ParseReference(reference, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if want, err = remote.Image(parsed, remote.WithContext(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	rungs := []sandbox.Rung{sandbox.Mounts}
	if c.Rungs {
		rungs = append(rungs, j.rungs...)
	}
	for _, rung := range rungs {
		got, err := c.build(t, j.registry, rung)
		switch {
		case (c.Fails || c.Refused) && err == nil:
			t.Errorf("in %s the build did not fail", rung)
		case c.Fails || c.Refused:
		case err != nil:
			t.Errorf("in %s: %v", rung, err)
		default:
			report(t, rung, c.Differs, j.differences(t, want, got))
		}
	}
}

// build makes the image with this engine. A problem's error has its detail.
func (c corpusCase) build(t *testing.T, registry string, rung sandbox.Rung) (v1.Image, error) {
	t.Helper()
	req := c.request(t, registry)
	req.Rung = rung
	result, err := build.Build(t.Context(), req)
	if problem, ok := errors.AsType[*diag.Problem](err); ok {
		return nil, fmt.Errorf("%w: %s", err, problem.Detail)
	}
	if err != nil {
		return nil, err
	}
	return req.Client.Fetch(t.Context(), artifact.Image{Layout: req.Layout.Dir(), Digest: result.Digest}, nil, "")
}

// differences lists in what two images differ, those of their configuration
// beginning with "config:".
func (j corpusJudge) differences(t *testing.T, want, got v1.Image) []string {
	t.Helper()
	found, err := imagetree.DiffConfig(want, got)
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = "config:" + found[i]
	}
	var trees []*imagetree.Tree
	for _, image := range []v1.Image{want, got} {
		tree, err := j.reader.Read(image)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	return append(found, imagetree.Diff(trees[0], trees[1])...)
}

// report fails the test for every difference that is not intended, and for
// every one that is and was not found.
func report(t *testing.T, rung sandbox.Rung, intended map[string]string, found []string) {
	t.Helper()
	for path := range intended {
		known := len(found)
		found = slices.DeleteFunc(found, func(line string) bool { return strings.HasPrefix(line, path+": ") })
		if len(found) == known {
			t.Errorf("in %s %s does not differ", rung, path)
		}
	}
	for _, line := range found {
		t.Errorf("in %s: %s", rung, line)
	}
}

// mirror sends requests for Docker Hub to a registry of plain HTTP.
type mirror struct{ registry string }

// RoundTrip implements [http.RoundTripper].
func (m mirror) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == name.DefaultRegistry {
		req = req.Clone(req.Context())
		req.URL.Scheme, req.URL.Host, req.Host = "http", m.registry, m.registry
	}
	return http.DefaultTransport.RoundTrip(req)
}
