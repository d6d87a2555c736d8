package docker

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// untar returns the files of an archive by name.
func untar(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	files := map[string]string{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
}

// readArchive returns the name and ID of the image in an archive as docker
// save writes it.
func readArchive(archive io.Reader) (named, id string, err error) {
	reader := tar.NewReader(archive)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return named, id, nil
		}
		if err != nil {
			return "", "", err
		}
		if header.Name != "manifest.json" {
			continue
		}
		var manifest []struct {
			Config   string
			RepoTags []string
		}
		if err := json.NewDecoder(reader).Decode(&manifest); err != nil {
			return "", "", err
		}
		named, id = manifest[0].RepoTags[0], manifest[0].Config
	}
}

func TestImageInLayoutIsLoadedOnce(t *testing.T) {
	t.Parallel()
	image, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	digest, config := store(t, dir, image)
	tr := newTrial(t, "")
	tr.request.Artifact = artifact.Image{Repository: "registry.test/local", Tag: "v2", Digest: digest, Layout: dir}
	plan, err := tr.platform.Plan(t.Context(), tr.request)
	if err != nil || plan.Changes[0].Reason != "loaded into the engine" {
		t.Errorf("Plan() = %v, %v, want that the image is loaded", plan, err)
	}
	tr.deploy(t)
	if got := tr.engine.only().Image; got != config {
		t.Errorf("the container runs %q, want %q", got, config)
	}
	if got := tr.engine.images["registry.test/local:v2"]; got != config {
		t.Errorf("the engine has %q by the image's name, want %q", got, config)
	}
	tr.engine.refuse["POST /images/load"] = 500
	tr.request.ID = "web-b"
	tr.deploy(t)
}

// store writes an image to a layout and returns its digest and that of its
// configuration.
func store(t *testing.T, dir string, image v1.Image) (digest, config string) {
	t.Helper()
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(image); err != nil {
		t.Fatal(err)
	}
	d, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	c, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return d.String(), c.String()
}

func TestPull(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + "2222222222222222222222222222222222222222222222222222222222222222"
	cases := map[string]struct {
		body  string
		image artifact.Image
		from  *artifact.Repository
		want  []string // logins of the pulls
	}{
		"present":       {image: artifact.Image{Repository: "registry.test/web", Tag: "v1"}},
		"forced":        {body: "force_pull = true", image: artifact.Image{Repository: "registry.test/web", Tag: "v1"}, want: []string{"{}"}},
		"by digest":     {image: artifact.Image{Repository: "registry.test/web", Tag: "v1", Digest: digest}, want: []string{"{}"}},
		"pull login":    {image: artifact.Image{Repository: "registry.test/api", Tag: "v1"}, from: login("registry.test/api"), want: []string{`{"username":"robot","password":"token"}`}},
		"other host":    {image: artifact.Image{Repository: "registry.test/api", Tag: "v1"}, from: login("elsewhere.test/api"), want: []string{"{}"}},
		"auth block":    {body: "auth {\n username = \"me\"\n password = \"mine\"\n}", image: artifact.Image{Repository: "registry.test/api", Tag: "v1"}, from: login("registry.test/api"), want: []string{`{"username":"me","password":"mine"}`}},
		"in the engine": {body: "force_pull = true", image: artifact.Image{Repository: "registry.test/web", Tag: "v1", Daemon: true}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, c.body)
			for _, named := range []string{"registry.test/web:v1", "registry.test/web@" + digest, "registry.test/api:v1"} {
				tr.engine.registry[named] = "sha256:3333"
			}
			tr.request.Artifact, tr.request.Pull = c.image, c.from
			tr.deploy(t)
			var got []string
			for _, encoded := range tr.engine.pulls {
				login, err := base64.URLEncoding.DecodeString(encoded)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(login))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("logins of pulls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestImageOfAnotherEngine(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.request.Artifact = artifact.Image{Repository: "registry.test/none", Tag: "v1", Daemon: true}
	_, err := tr.platform.Plan(t.Context(), tr.request)
	wantProblem(t, err, "Image not in this Docker engine", "", "add a registry block")
}
