package build_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// write makes files below dir. A name ending in a slash is a folder; content
// that begins with an arrow is the target of a symbolic link.
func write(t *testing.T, dir string, content map[string]string) {
	t.Helper()
	for name, text := range content {
		path := filepath.Join(dir, name)
		folder := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			folder = path
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "→"); ok {
			err = os.Symlink(target, path)
		} else if folder != path {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// newRequest returns a request for the repository in dir, which also is the
// context.
func newRequest(t *testing.T, dir string) build.Request {
	t.Helper()
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return build.Request{
		Root: dir, Context: dir, Dockerfile: filepath.Join(dir, "Dockerfile"), Platform: "linux/amd64",
		Layout: layout,
	}
}

// buildImage builds and opens the result.
func buildImage(t *testing.T, req build.Request) v1.Image {
	t.Helper()
	result, err := build.Build(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	image, err := req.Client.Fetch(t.Context(), artifact.Image{Layout: req.Layout.Dir(), Digest: result.Digest}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// entries lists an image's layers, one text for each entry:
// "mode uid:gid name[=content]".
func entries(t *testing.T, image v1.Image) []string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, layer := range layers {
		plain, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		archive := tar.NewReader(plain)
		for {
			header, err := archive.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("%o %d:%d %s", header.Mode, header.Uid, header.Gid, header.Name)
			content, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			switch header.Typeflag {
			case tar.TypeReg:
				text += "=" + string(content)
			case tar.TypeSymlink:
				text += "→" + header.Linkname
			}
			found = append(found, text)
		}
		plain.Close()
	}
	return found
}

func TestCopy(t *testing.T) {
	t.Parallel()
	context := map[string]string{
		"a.txt": "A", "b.txt": "B", "c.md": "C",
		"dir/x": "X", "dir/sub/y": "Y", "dir/link": "→x",
		"link.txt": "→a.txt", ".deploy-action/journal": "of a run", "own/.git/config": "token", "own/.git/HEAD": "H",
	}
	tests := map[string]struct {
		instructions string
		ignore       string
		want         []string
	}{
		"file to a name":         {"COPY a.txt /etc/conf", "", []string{"755 0:0 etc/", "644 0:0 etc/conf=A"}},
		"file into a folder":     {"COPY a.txt /etc/", "", []string{"755 0:0 etc/", "644 0:0 etc/a.txt=A"}},
		"file into one there is": {"WORKDIR /w\nCOPY a.txt /w", "", []string{"755 0:0 w/", "755 0:0 w/", "644 0:0 w/a.txt=A"}},
		"relative to WORKDIR":    {"WORKDIR /w\nCOPY a.txt .", "", []string{"755 0:0 w/", "755 0:0 w/", "644 0:0 w/a.txt=A"}},
		"several into a folder":  {"COPY a.txt b.txt /", "", []string{"644 0:0 a.txt=A", "644 0:0 b.txt=B"}},
		"pattern":                {"COPY [ab].txt /", "", []string{"644 0:0 a.txt=A", "644 0:0 b.txt=B"}},
		"content of a folder": {"COPY dir /d", "", []string{
			"755 0:0 d/", "777 0:0 d/link→x", "755 0:0 d/sub/", "644 0:0 d/sub/y=Y", "644 0:0 d/x=X",
		}},
		"owner and mode":             {"COPY --chown=5:6 --chmod=600 a.txt /", "", []string{"600 5:6 a.txt=A"}},
		"link as a source":           {"COPY link.txt /l", "", []string{"644 0:0 l=A"}},
		"ADD of a file":              {"ADD a.txt /", "", []string{"644 0:0 a.txt=A"}},
		"ignored files":              {"COPY . /", "*\n!a.txt\n!dir/sub\n", []string{"644 0:0 a.txt=A", "755 0:0 dir/", "755 0:0 dir/sub/", "644 0:0 dir/sub/y=Y"}},
		"never ours nor git's":       {"COPY . /", "*.txt\n*.md\nd*\nDockerfile\n.dockerignore\n!.deploy-action\n", []string{"755 0:0 own/", "755 0:0 own/.git/", "644 0:0 own/.git/HEAD=H"}},
		"ignored folder":             {"COPY dir /", "**/sub", []string{"777 0:0 link→x", "644 0:0 x=X"}},
		"variables":                  {"ARG F=a.txt\nENV D=/e\nCOPY $F ${D}/", "", []string{"755 0:0 e/", "644 0:0 e/a.txt=A"}},
		"later copy over an earlier": {"COPY a.txt b.txt /x/\nCOPY b.txt /x/a.txt", "", []string{"755 0:0 x/", "644 0:0 x/a.txt=A", "644 0:0 x/b.txt=B", "755 0:0 x/", "644 0:0 x/a.txt=B"}},
		"here and above":             {"COPY ../../c.md /", "", []string{"644 0:0 c.md=C"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, context)
			write(t, dir, map[string]string{"Dockerfile": "FROM scratch\n" + test.instructions, ".dockerignore": test.ignore})
			if diff := cmp.Diff(test.want, entries(t, buildImage(t, newRequest(t, dir)))); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	tests := map[string]struct {
		instructions string
		args         map[string]string
		want         v1.Config
	}{
		"ENV": {
			"ENV A=1 B=\"two words\"\nENV C=$A$B\nENV A=3", nil,
			v1.Config{WorkingDir: "/", Env: []string{path, "A=3", "B=two words", "C=1two words"}},
		},
		"ARG": {
			"ARG A=1\nARG B\nARG TARGETARCH\nENV X=$A Y=${B:-none} Z=$TARGETARCH",
			map[string]string{"A": "2"},
			v1.Config{WorkingDir: "/", Env: []string{path, "X=2", "Y=none", "Z=amd64"}},
		},
		"program in the exec form": {
			`ENTRYPOINT ["/app", "-v"]` + "\n" + `CMD ["$HOME"]`, nil,
			v1.Config{WorkingDir: "/", Env: []string{path}, Entrypoint: []string{"/app", "-v"}, Cmd: []string{"$HOME"}, ArgsEscaped: true},
		},
		"program in the shell form": {
			"CMD exec /app $X", nil,
			v1.Config{WorkingDir: "/", Env: []string{path}, Cmd: []string{"/bin/sh", "-c", "exec /app $X"}, ArgsEscaped: true},
		},
		"the rest": {
			"LABEL a=1 b=\"2 3\"\nUSER 5:6\nEXPOSE 80 53/udp 8000-8001\nVOLUME /data\nSTOPSIGNAL SIGINT\n" +
				"WORKDIR /a\nWORKDIR b\nHEALTHCHECK --interval=5s --retries=2 CMD /check\n", nil,
			v1.Config{
				Env: []string{path}, WorkingDir: "/a/b", User: "5:6", StopSignal: "SIGINT",
				Labels:       map[string]string{"a": "1", "b": "2 3"},
				ExposedPorts: map[string]struct{}{"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}},
				Volumes:      map[string]struct{}{"/data": {}},
				Healthcheck:  &v1.HealthConfig{Test: []string{"CMD-SHELL", "/check"}, Interval: 5 * time.Second, Retries: 2},
			},
		},
		"no health check": {
			"HEALTHCHECK NONE", nil,
			v1.Config{WorkingDir: "/", Env: []string{path}, Healthcheck: &v1.HealthConfig{Test: []string{"NONE"}}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"Dockerfile": "FROM scratch\n" + test.instructions})
			req := newRequest(t, dir)
			req.Args = test.args
			config, err := buildImage(t, req).ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, config.Config); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
			if config.Architecture != "amd64" || config.OS != "linux" {
				t.Errorf("platform is %s/%s, want linux/amd64", config.OS, config.Architecture)
			}
		})
	}
}

func TestReproducible(t *testing.T) {
	t.Parallel()
	content := map[string]string{
		"Dockerfile": "FROM scratch\nWORKDIR /w\nCOPY . .\nCOPY a /b\nENTRYPOINT [\"/w/a\"]",
		"a":          "1", "d/x": strings.Repeat("x", 100_000), "d/y": "2",
	}
	digests := map[string]bool{}
	for _, age := range []time.Duration{0, time.Hour, 1000 * time.Hour} {
		dir := t.TempDir()
		write(t, dir, content)
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chtimes(path, time.Time{}, time.Now().Add(-age))
		})
		if err != nil {
			t.Fatal(err)
		}
		req := newRequest(t, dir)
		for range 2 { // the second time with the layers of the first
			if req.Layout, err = oci.OpenLayout(req.Layout.Dir()); err != nil {
				t.Fatal(err)
			}
			result, err := build.Build(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			digests[result.Digest] = true
		}
	}
	if len(digests) != 1 {
		t.Errorf("the same input made %d images: %v", len(digests), digests)
	}
}

// pushBase puts an image of these Dockerfile instructions and files into a
// registry in memory and returns its name and a client.
func pushBase(t *testing.T, content map[string]string) (name string, client oci.Client) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	client = oci.Client{HTTP: server.Client()}
	dir := t.TempDir()
	write(t, dir, content)
	req := newRequest(t, dir)
	result, err := build.Build(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	repository := strings.TrimPrefix(server.URL, "http://") + "/acme/base"
	_, err = client.Push(t.Context(), oci.PushRequest{
		Image: artifact.Image{Layout: req.Layout.Dir(), Digest: result.Digest},
		To:    artifact.Repository{Name: repository}, Tag: "v1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return repository + ":v1", client
}

func TestFromImage(t *testing.T) {
	t.Parallel()
	base, client := pushBase(t, map[string]string{
		"Dockerfile": "FROM scratch\nCOPY --chmod=1777 tmp/ /tmp/\nCOPY root /\nENV A=1\nENTRYPOINT [\"/base\"]\nCMD [\"x\"]\nLABEL l=1",
		"root/bin":   "→usr/bin", "root/usr/bin/tool": "T", "root/tmp/keep": "",
		"root/etc/passwd": "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n",
		"root/etc/group":  "root:x:0:\nstaff:x:50:app\n", "tmp/x": "",
	})
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"Dockerfile": "ARG BASE\nFROM $BASE AS final\nCOPY --chown=app prog /bin/prog\nCOPY --chown=app:staff prog /srv/\n" +
			"WORKDIR /bin\nENV B=$A\nENTRYPOINT [\"/bin/prog\"]",
		"prog": "P",
	})
	req := newRequest(t, dir)
	req.Client, req.Args = client, map[string]string{"BASE": base}
	image := buildImage(t, req)

	got := entries(t, image)
	if len(got) < 6 {
		t.Fatalf("entries are %v", got)
	}
	// /bin is a link of the base, and /usr keeps its rights. WORKDIR exists.
	want := []string{"755 0:0 usr/", "755 0:0 usr/bin/", "644 1000:1001 usr/bin/prog=P", "755 1000:50 srv/", "644 1000:50 srv/prog=P"}
	if diff := cmp.Diff(want, got[len(got)-5:]); diff != "" {
		t.Errorf("entries on top of the base (-want +got):\n%s", diff)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	wantConfig := v1.Config{
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1", "B=1"},
		Entrypoint: []string{"/bin/prog"}, WorkingDir: "/bin", Labels: map[string]string{"l": "1"}, ArgsEscaped: true,
	}
	if diff := cmp.Diff(wantConfig, config.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// TestAddURL downloads a file, from a server that has it and for one that does
// not.
func TestAddURL(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.StripPrefix("/files", http.FileServerFS(fstest.MapFS{"tool": {Data: []byte("T")}})))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	write(t, dir, map[string]string{"Dockerfile": "FROM scratch\nARG URL\nADD --chmod=755 $URL /bin/\n"})
	req := newRequest(t, dir)
	req.Client, req.Args = oci.Client{HTTP: server.Client()}, map[string]string{"URL": server.URL + "/files/tool"}
	got := entries(t, buildImage(t, req))
	if diff := cmp.Diff([]string{"755 0:0 bin/", "755 0:0 bin/tool=T"}, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	req.Args["URL"] = server.URL + "/files/none"
	_, err := build.Build(t.Context(), req)
	problem := problemsOf(t, err)[0]
	if problem.Summary != "ADD of a URL did not work" || !strings.HasPrefix(problem.Detail, "Dockerfile:3: ") {
		t.Errorf("problem is %q: %q", problem.Summary, problem.Detail)
	}
}

func problemsOf(t *testing.T, err error) []*diag.Problem {
	t.Helper()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var problems []*diag.Problem
		for _, e := range joined.Unwrap() {
			problems = append(problems, problemsOf(t, e)...)
		}
		return problems
	}
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok {
		t.Fatalf("error is %v, want a problem", err)
	}
	return []*diag.Problem{problem}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dockerfile string
		want       []string // summary, then a part of the detail, for each problem
	}{
		"unknown":        {"FROM scratch\n\nCOPPY a /", []string{"Invalid Dockerfile", "Dockerfile:3: There is no instruction \"COPPY\". Did you mean \"COPY\"?"}},
		"no FROM":        {"COPY a /", []string{"Dockerfile without FROM", "Dockerfile:1"}},
		"only ARG":       {"# x\nARG A", []string{"Dockerfile without FROM", "Dockerfile:2"}},
		"empty":          {"", []string{"Dockerfile without FROM", "Dockerfile:1"}},
		"missing source": {"FROM scratch\nCOPY aple /\n", []string{"Invalid instruction", "Dockerfile:2: COPY \"aple\": the build context has no such file; the nearest name is \"apple\"."}},
		"ignored source": {"FROM scratch\nCOPY hidden /\n", []string{"Invalid instruction", ".dockerignore leaves it out"}},
		"unknown user":   {"FROM scratch\nCOPY --chown=app apple /x", []string{"Invalid instruction", "Dockerfile:2: the user \"app\""}},
		"bad port":       {"FROM scratch\nEXPOSE web", []string{"Invalid Dockerfile", "Dockerfile:2: Invalid containerPort: web."}},
		"link outside":   {"FROM scratch\nCOPY escape /", []string{"Path outside the repository", "\"escape\""}},
		"bad base":       {"FROM Not/A:Name:x", []string{"Invalid Dockerfile", "\"Not/A:Name:x\""}},
		"empty base":     {"ARG B\nFROM $B", []string{"Invalid Dockerfile", "Dockerfile:2: Base name ($B) should not be blank."}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outside := t.TempDir()
			write(t, outside, map[string]string{"secret": "S"})
			dir := t.TempDir()
			write(t, dir, map[string]string{
				"Dockerfile": test.dockerfile, "apple": "A", "banana": "B", "archive.tgz": "\x1f\x8b\x08",
				"hidden": "H", ".dockerignore": "hidden", "escape": "→" + filepath.Join(outside, "secret"),
			})
			_, err := build.Build(t.Context(), newRequest(t, dir))
			if err == nil {
				t.Fatal("Build succeeded")
			}
			problems := problemsOf(t, err)
			if len(problems)*2 != len(test.want) {
				t.Fatalf("Build = %v, want %d problems", err, len(test.want)/2)
			}
			for i, problem := range problems {
				if problem.Summary != test.want[2*i] || !strings.Contains(problem.Detail, test.want[2*i+1]) {
					t.Errorf("problem is %q: %q; want %q: …%s…", problem.Summary, problem.Detail, test.want[2*i], test.want[2*i+1])
				}
			}
		})
	}
}

func TestPathsStayInTheRepository(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	write(t, outside, map[string]string{"Dockerfile": "FROM scratch", "sub/": ""})
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"Dockerfile": "FROM scratch", "app/": "",
		"linked": "→" + outside, "linked.Dockerfile": "→" + filepath.Join(outside, "Dockerfile"),
	})
	tests := map[string]struct {
		change  func(*build.Request)
		summary string
		attr    string
	}{
		"context outside":           {func(r *build.Request) { r.Context = outside }, "Path outside the repository", "context"},
		"context through a link":    {func(r *build.Request) { r.Context = filepath.Join(dir, "linked") }, "Path outside the repository", "context"},
		"missing root":              {func(r *build.Request) { r.Root = filepath.Join(dir, "none") }, "Missing folder", ""},
		"missing context":           {func(r *build.Request) { r.Context = filepath.Join(dir, "none") }, "Missing build context", "context"},
		"Dockerfile outside":        {func(r *build.Request) { r.Dockerfile = filepath.Join(outside, "Dockerfile") }, "Path outside the repository", "dockerfile"},
		"Dockerfile through a link": {func(r *build.Request) { r.Dockerfile = filepath.Join(dir, "linked.Dockerfile") }, "Path outside the repository", "dockerfile"},
		"missing Dockerfile":        {func(r *build.Request) { r.Dockerfile = filepath.Join(dir, "none") }, "Missing Dockerfile", "dockerfile"},
		"a folder":                  {func(r *build.Request) { r.Dockerfile = dir }, "Dockerfile is a folder", "dockerfile"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := newRequest(t, dir)
			test.change(&req)
			_, err := build.Build(t.Context(), req)
			problem := problemsOf(t, err)[0]
			if problem.Summary != test.summary || problem.Attr != test.attr {
				t.Errorf("problem is %q at %q, want %q at %q", problem.Summary, problem.Attr, test.summary, test.attr)
			}
		})
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ dockerfile, want string }{
		"nothing":       {"FROM scratch\nCOPY . /\nRUN --mount=type=cache,target=/c make\n", ""},
		"no network":    {"FROM scratch AS a\nRUN --network=none make\nFROM scratch\n", "RUN --network=none is not supported"},
		"an SSH key":    {"FROM scratch\nRUN --mount=type=ssh,required make\n", "RUN --mount=type=ssh is not supported"},
		"no Dockerfile": {"hello\n", ""},
		"an empty one":  {"", ""},
		"without FROM":  {"COPY . /\n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := build.Unsupported([]byte(tt.dockerfile)); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("Unsupported = %q, want %q", got, tt.want)
			}
		})
	}
}
