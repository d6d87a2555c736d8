//go:build servers

package build_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// corpusBuilder is this engine on one rung.
type corpusBuilder struct {
	rung      sandbox.Rung
	folder    string           // for what builds write
	container *corpusContainer // nil for the machine
}

// corpusBuilders are the engine as root on this machine, in a container that may
// make user namespaces, and in a default one. Folder holds the contexts.
func corpusBuilders(t *testing.T, folder string) []corpusBuilder {
	t.Helper()
	builders := []corpusBuilder{{rung: sandbox.Mounts, folder: t.TempDir()}}
	engine := servers.Docker(t)
	const image = "local/corpus:1"
	engine.ImportOwn(t, image, servers.CompileStatic(t, "build.test", "test", "-c", "-tags", "servers", "."))
	for rung, flags := range map[sandbox.Rung][]string{
		sandbox.UserNamespace: {"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"},
		sandbox.Swap:          nil,
	} {
		results := t.TempDir()
		builders = append(builders, corpusBuilder{rung, results, startCorpusContainer(t, engine, image, flags, map[string]string{
			folder: servers.Own + "/contexts", results: servers.Own + "/results",
		})})
	}
	return builders
}

// build builds one Dockerfile.
func (b corpusBuilder) build(t *testing.T, registry, title string, c corpusCase) (layout, digest string, err error) {
	t.Helper()
	ask := corpusBuild{
		Dir: c.dir, Folder: filepath.Join(b.folder, title), Registry: registry, Rung: b.rung, Alone: c.Alone,
		Args: c.Args, Labels: c.Labels, Secrets: c.Secrets, Target: c.Target, Platform: c.Platform,
	}
	layout = ask.layout()
	if b.container == nil {
		digest, err = ask.build(t.Context())
		return layout, digest, err
	}
	ask.Dir, ask.Folder = filepath.Join(servers.Own, "contexts", title), filepath.Join(servers.Own, "results", title)
	digest, err = b.container.build(ask)
	return layout, digest, err
}

// corpusContainer builds in a container.
type corpusContainer struct {
	mu      sync.Mutex
	ask     *json.Encoder
	waiting map[int]chan<- corpusBuilt
	asked   int
	ended   bool
}

// startCorpusContainer starts a container that ends with the test. It has the
// machine's network, and folders of the machine at their paths inside.
func startCorpusContainer(t *testing.T, engine *servers.DockerEngine, image string, flags []string, folders map[string]string) *corpusContainer {
	t.Helper()
	args := append([]string{"run", "--rm", "--interactive", "--network", "host"}, flags...)
	for outside, inside := range folders {
		args = append(args, "--volume", outside+":"+inside)
	}
	cmd := exec.Command("docker", append(args, image, servers.Own+"/bin/build.test", buildVerb)...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+engine.Host)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &corpusContainer{ask: json.NewEncoder(input), waiting: map[int]chan<- corpusBuilt{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read(output)
	}()
	t.Cleanup(func() {
		_ = input.Close() // the container ends then
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("the container: %v\n%s", err, complaints.String())
		}
	})
	return c
}

// read hands out what the container says until it ends.
func (c *corpusContainer) read(from io.Reader) {
	for said := json.NewDecoder(from); ; {
		var built corpusBuilt
		if said.Decode(&built) != nil {
			break
		}
		c.mu.Lock()
		c.waiting[built.ID] <- built
		delete(c.waiting, built.ID)
		c.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for id, waiting := range c.waiting {
		waiting <- corpusBuilt{ID: id, Error: "the container ended"}
	}
}

// build asks the container for an image and waits for it.
func (c *corpusContainer) build(ask corpusBuild) (digest string, err error) {
	answer := make(chan corpusBuilt, 1)
	if err := c.send(ask, answer); err != nil {
		return "", err
	}
	built := <-answer
	if built.Error != "" {
		return "", errors.New(built.Error)
	}
	return built.Digest, nil
}

func (c *corpusContainer) send(ask corpusBuild, answer chan<- corpusBuilt) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errors.New("the container ended")
	}
	c.asked++
	ask.ID = c.asked
	c.waiting[ask.ID] = answer
	return c.ask.Encode(ask)
}
