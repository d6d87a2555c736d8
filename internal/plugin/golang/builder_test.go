package golang_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/plugin/golang"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// open opens the builder with a PATH.
func open(t *testing.T, c golang.BuilderConfig, path string) (component.AnyBuilder, error) {
	t.Helper()
	host := component.Host{
		Progress: plugintest.Quiet{}, HTTP: http.DefaultClient, TempDir: t.TempDir(), CacheDir: t.TempDir(), Environ: os.Environ,
		Getenv: func(name string) string { return map[string]string{"PATH": path}[name] },
	}
	builder, _, err := golang.Plugin.Builder.Open(host, func(into any) hcl.Diagnostics {
		*into.(*golang.BuilderConfig) = c
		return nil
	})
	return builder, err
}

// goPath is the folder of the go command.
func goPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("go")
	if err != nil {
		t.Skipf("no Go: %v", err)
	}
	return filepath.Dir(path)
}

// project is a folder with a program.
func project(t *testing.T, source string) component.App {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module example.com/hello\n\ngo 1.26\n", "cmd/web/main.go": source} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return component.App{Project: "shop", Name: "web", Path: dir}
}

const hello = "package main\n\nfunc main() { println(\"hello\") }\n"

// TestBuild makes the same image twice, whose program runs.
func TestBuild(t *testing.T) {
	t.Parallel()
	builder, err := open(t, golang.BuilderConfig{Package: "./cmd/web", Base: "scratch"}, goPath(t))
	if err != nil {
		t.Fatal(err)
	}
	var images []artifact.Image
	for range 2 {
		made, err := builder.Build(t.Context(), component.BuildRequest{App: project(t, hello)})
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, made.(artifact.Image))
	}
	if images[0] != images[1] {
		t.Errorf("the same source makes %+v and %+v", images[0], images[1])
	}
	image, err := oci.Client{HTTP: http.DefaultClient}.Fetch(t.Context(), images[0], nil, "")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := oci.Unpack(t.Context(), image, root); err != nil {
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), filepath.Join(root, "app")).CombinedOutput()
	if err != nil || string(output) != "hello\n" {
		t.Errorf("the program says %q, %v", output, err)
	}
}

// TestAttest says how an image was made and what is in it.
func TestAttest(t *testing.T) {
	t.Parallel()
	builder, err := open(t, golang.BuilderConfig{
		Package: "./cmd/web", Base: "scratch", Env: map[string]string{"GOFLAGS": "-ldflags=-s"}, Provenance: true, SBOM: true,
	}, goPath(t))
	if err != nil {
		t.Fatal(err)
	}
	made, err := builder.Build(t.Context(), component.BuildRequest{App: project(t, hello)})
	if err != nil {
		t.Fatal(err)
	}
	image := made.(artifact.Image)
	data, err := os.ReadFile(filepath.Join(image.Layout, "attached", strings.TrimPrefix(image.Digest, "sha256:")+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var attached []oci.Attachment
	if err := json.Unmarshal(data, &attached); err != nil || len(attached) != 2 {
		t.Fatalf("attached are %v, %v", attached, err)
	}
	for i, wanted := range [][]string{
		{`"package":"./cmd/web"`, `"env":["GOFLAGS"]`, "supply-chain.md#use-go"},
		{`"pkg:golang/example.com/hello"`, `"pkg:golang/stdlib@1.`, `"named in app"`},
	} {
		for _, want := range wanted {
			if !strings.Contains(string(attached[i].Content), want) {
				t.Errorf("%s has no %s: %s", attached[i].Type, want, attached[i].Content)
			}
		}
	}
}

// TestProblems has a program that does not compile, and machines without Go.
func TestProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		source, path string
		want         []string // summary, then parts of the detail
	}{
		"a mistake": {"package main\n\nfunc main() { prinln() }\n", goPath(t), []string{"The Go program does not compile", "undefined: prinln"}},
		"no Go":     {hello, t.TempDir(), []string{"No Go on this machine", "FROM golang", "COPY --from=build"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			builder, err := open(t, golang.BuilderConfig{Package: "./cmd/web", Base: "scratch"}, test.path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = builder.Build(t.Context(), component.BuildRequest{App: project(t, test.source)})
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Summary != test.want[0] {
				t.Fatalf("Build = %v, want the problem %q", err, test.want[0])
			}
			for _, part := range test.want[1:] {
				if !strings.Contains(problem.Detail, part) {
					t.Errorf("the problem says %q, want %q in it", problem.Detail, part)
				}
			}
		})
	}
	_, err := open(t, golang.BuilderConfig{Base: "Not A Name"}, "")
	if problem, ok := errors.AsType[*diag.Problem](err); !ok || problem.Attr != "base" {
		t.Errorf("opening = %v, want a problem at base", err)
	}
}
