package servers

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/buildpacks/pack/builder"
	pack "github.com/buildpacks/pack/pkg/client"
	"github.com/buildpacks/pack/pkg/image"
	"github.com/buildpacks/pack/pkg/logging"
	docker "github.com/docker/docker/client"
	"github.com/moby/moby/client"
)

// Buildpacks is the name of the image that [Lifecycle] makes: a
// builder with one buildpack.
const Buildpacks = "local/buildpacks:1"

// lifecycleDescriptor says what the lifecycle of testdata/servers understands.
const lifecycleDescriptor = `
[api]
platform = "0.7"
buildpack = "0.7"
[apis.buildpack]
supported = ["0.7", "0.8", "0.9", "0.10", "0.11"]
[apis.platform]
supported = ["0.7", "0.8", "0.9", "0.10", "0.11", "0.12", "0.13", "0.14"]
[lifecycle]
version = "0.20.11"
`

const builderSettings = `
[[buildpacks]]
uri = "./buildpack"
[[order]]
[[order.group]]
id = "local/shell"
version = "0.0.1"
[lifecycle]
uri = "./lifecycle.tgz"
[build]
image = "local/buildpacks-base:1"
[run]
[[run.images]]
image = "local/buildpacks-base:1"
[stack]
id = "local.stack"
build-image = "local/buildpacks-base:1"
run-image = "local/buildpacks-base:1"
`

// The buildpack is for folders with a run.sh. It makes a tool, which it keeps,
// and fails where there is a file named "fail".
var shellBuildpack = map[string]string{
	"buildpack.toml": `
api = "0.10"
[buildpack]
id = "local/shell"
version = "0.0.1"
name = "Shell"
[[targets]]
os = "linux"
`,
	"bin/detect": "#!/bin/sh\n[ -f run.sh ] || { echo 'there is no run.sh'; exit 100; }\n",
	"bin/build": `#!/bin/sh
set -e
layer=$CNB_LAYERS_DIR/tool
if [ -f "$layer/bin/tool" ]; then
  echo "the tool is there"
else
  echo "making the tool"
  mkdir -p "$layer/bin"
  printf '#!/bin/sh\necho "%s from the tool"\n' "$GREETING" >"$layer/bin/tool"
  chmod +x "$layer/bin/tool"
fi
printf '[types]\nlaunch = true\ncache = true\n' >"$layer.toml"
cat >"$CNB_LAYERS_DIR/launch.toml" <<END
[[processes]]
type = "web"
command = ["/bin/sh", "run.sh"]
default = true
[[processes]]
type = "worker"
command = ["/bin/sh", "run.sh"]
args = ["worker"]
END
echo "environment: $(env | sort | tr '\n' ' ')"
echo "files: $(find . -type f | sort | tr '\n' ' ')"
if [ -w /var/run/docker.sock ]; then echo "reaches the engine"; fi
grep -E '^(NoNewPrivs|Uid):' /proc/self/status
if [ -f fail ]; then echo "this cannot be built" >&2; exit 7; fi
`,
}

// Lifecycle makes the image [Buildpacks] in an engine. An engine that has it
// keeps it.
func Lifecycle(t *testing.T, e *DockerEngine) {
	t.Helper()
	program := built(t, "lifecycle", "github.com/buildpacks/lifecycle", "lifecycle")
	if _, err := e.Client.ImageInspect(t.Context(), Buildpacks); err == nil {
		return
	}
	e.importBase(t)
	folder := t.TempDir()
	packLifecycle(t, filepath.Dir(program), filepath.Join(folder, "lifecycle.tgz"))
	settings := filepath.Join(folder, "builder.toml")
	writeFile(t, settings, builderSettings)
	for name, content := range shellBuildpack {
		writeFile(t, filepath.Join(folder, "buildpack", name), content)
	}
	config, _, err := builder.ReadConfig(settings)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := docker.NewClientWithOpts(docker.WithHost(e.Host), docker.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	log := &bytes.Buffer{}
	packer, err := pack.NewClient(pack.WithLogger(logging.NewSimpleLogger(log)), pack.WithDockerClient(engine))
	if err == nil {
		err = packer.CreateBuilder(t.Context(), pack.CreateBuilderOptions{
			RelativeBaseDir: folder, BuilderName: Buildpacks, Config: config, PullPolicy: image.PullNever,
		})
	}
	if err != nil {
		t.Fatalf("making %s: %v\n%s", Buildpacks, err, log)
	}
}

// importBase makes the image that builder and apps are made on.
func (e *DockerEngine) importBase(t *testing.T) {
	t.Helper()
	result, err := e.Client.ImageImport(t.Context(), client.ImageImportSource{Source: BusyboxRoot(t), SourceName: "-"}, "local/buildpacks-base:1",
		client.ImageImportOptions{Changes: []string{
			"LABEL io.buildpacks.stack.id=local.stack", "USER 65534:65534",
			"ENV PATH=/bin CNB_USER_ID=65534 CNB_GROUP_ID=65534 CNB_STACK_ID=local.stack HOME=/tmp",
		}})
	if err != nil {
		t.Fatalf("importing the base of buildpacks: %v", err)
	}
	defer result.Close()
	if _, err := io.Copy(io.Discard, result); err != nil {
		t.Fatalf("importing the base of buildpacks: %v", err)
	}
}

// packLifecycle packs the programs in a folder as builders want them.
func packLifecycle(t *testing.T, programs, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	compressed := gzip.NewWriter(file)
	archive := tar.NewWriter(compressed)
	add := func(header tar.Header, content []byte) {
		header.Size = int64(len(content))
		if err := archive.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	add(tar.Header{Name: "lifecycle.toml", Mode: 0o644}, []byte(lifecycleDescriptor))
	add(tar.Header{Name: "lifecycle", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	for _, name := range []string{"lifecycle", "launcher"} {
		content, err := os.ReadFile(filepath.Join(programs, name))
		if err != nil {
			t.Fatal(err)
		}
		add(tar.Header{Name: "lifecycle/" + name, Mode: 0o755}, content)
	}
	for _, name := range []string{"analyzer", "builder", "creator", "detector", "exporter", "extender", "rebaser", "restorer"} {
		add(tar.Header{Name: "lifecycle/" + name, Typeflag: tar.TypeSymlink, Linkname: "lifecycle"}, nil)
	}
	for _, closer := range []io.Closer{archive, compressed, file} {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// writeFile writes a file that can be executed.
func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}
