//go:build servers

package build_test

import (
	"encoding/json"
	"maps"
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
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
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
	Alone    bool              // nothing else is built in its container meanwhile

	UserNamespace, Swap corpusRung // what is different on the lower rungs
}

// corpusRung is what a lower rung cannot do as the best one does.
type corpusRung struct {
	Refused string            // why this engine makes no image there
	Differs map[string]string // as that of all rungs, beside those
}

// TestCorpus builds every Dockerfile of the corpus with this engine and with
// BuildKit, and compares the images.
func TestCorpus(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("commands run as root here")
	}
	registry, contexts := servers.Registry(t, servers.RegistryConfig{}), t.TempDir()
	judge := corpusJudge{servers.BuildKit(t, registry.Host), registry.Host, &imagetree.Reader{}, corpusBuilders(t, contexts)}
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
			c := openCorpus(t, path, filepath.Join(contexts, title))
			c.Args["SERVER"] = downloads
			judge.compare(t, title, c)
		})
	}
}

// corpusCase is an unpacked archive.
type corpusCase struct {
	corpusOptions
	dir string // the context, with the Dockerfile
}

// openCorpus unpacks an archive to dir. Its prepare.sh makes what the format has no
// words for: links, modes, binary files.
func openCorpus(t *testing.T, path, dir string) corpusCase {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, prepare := corpusCase{dir: dir}, ""
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
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, content)
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", prepare)
	cmd.Dir = c.dir
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("prepare.sh: %v\n%s", err, output)
	}
	return c
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
	builders []corpusBuilder
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
	for _, builder := range j.builders {
		j.judge(t, builder, title, c, want)
	}
}

// judge builds with this engine on one rung. Want is BuildKit's image, nil where
// it made none.
func (j corpusJudge) judge(t *testing.T, builder corpusBuilder, title string, c corpusCase, want v1.Image) {
	t.Helper()
	special := map[sandbox.Rung]corpusRung{sandbox.UserNamespace: c.UserNamespace, sandbox.Swap: c.Swap}[builder.rung]
	refused, differs := c.Refused || special.Refused != "", map[string]string{}
	maps.Copy(differs, c.Differs)
	maps.Copy(differs, special.Differs)
	layout, digest, err := builder.build(t, j.registry, title, c)
	switch {
	case (c.Fails || refused) && err == nil:
		t.Errorf("in %s the build did not fail", builder.rung)
	case c.Fails || refused:
	case err != nil:
		t.Errorf("in %s: %v", builder.rung, err)
	default:
		got, err := corpusClient(j.registry).Fetch(t.Context(), artifact.Image{Layout: layout, Digest: digest}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		report(t, builder.rung, differs, j.differences(t, want, got))
	}
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
