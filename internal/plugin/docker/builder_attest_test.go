package docker_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/docker"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/imagetree"
)

// TestAttest builds and pushes with and without provenance and a list of
// packages: they are found beside the image, which is the same.
func TestAttest(t *testing.T) {
	t.Parallel()
	host, client := newRegistry(t)
	source := newSource(t, map[string]string{
		"build/Dockerfile": "FROM scratch\nARG TOKEN\nCOPY status /var/lib/dpkg/status\nLABEL a=b\n",
		"status":           "Package: tool\nVersion: 1.2\nArchitecture: all\n",
	})
	app := component.App{Project: "shop", Name: "web", Path: source}
	config := docker.BuilderConfig{
		Dockerfile: "build/Dockerfile", BuildArgs: map[string]string{"TOKEN": "hunter2"}, Secrets: map[string]secret.Text{"npm": "hunter3"},
	}
	plain, err := buildWith(t, testHost(t, client), config, app)
	if err != nil {
		t.Fatal(err)
	}
	config.Provenance, config.SBOM = true, true
	image, err := buildWith(t, testHost(t, client), config, app)
	if err != nil {
		t.Fatal(err)
	}
	if image.Digest != plain.Digest {
		t.Errorf("the image became %s, want %s as without", image.Digest, plain.Digest)
	}
	registry, _, err := docker.Plugin.Registry.Open(testHost(t, client), decoded(docker.RegistryConfig{Image: host + "/acme/web", Tag: "v1"}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := registry.Push(t.Context(), component.PushRequest[artifact.Artifact]{App: app, Artifact: image}); err != nil {
			t.Fatal(err)
		}
	}
	found := beside(t, client, host+"/acme/web@"+image.Digest)
	if len(found) != 2 {
		t.Fatalf("beside the image is %q", found)
	}
	statement := found["application/vnd.in-toto+json https://slsa.dev/provenance/v1"]
	for _, want := range []string{`"dockerfile":"build/Dockerfile"`, `"build_args":["TOKEN"]`, `"secrets":["npm"]`, strings.TrimPrefix(image.Digest, "sha256:")} {
		if !strings.Contains(statement, want) {
			t.Errorf("the statement has no %s: %s", want, statement)
		}
	}
	if strings.Contains(statement, "hunter") {
		t.Errorf("the statement has a value: %s", statement)
	}
	if list := found["application/spdx+json "]; !strings.Contains(list, "pkg:deb/debian/tool@1.2?arch=all") {
		t.Errorf("the list of packages is %s", list)
	}
}

// beside returns what refers to an image in a registry, by type.
func beside(t *testing.T, client *http.Client, image string) map[string]string {
	t.Helper()
	found, err := imagetree.Referrers(image, remote.WithContext(t.Context()), remote.WithTransport(client.Transport))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
