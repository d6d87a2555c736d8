package awsecrpull_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/awsecrpull"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

const (
	repository = awsfake.ImageHost + "/shop/web"
	indexType  = "application/vnd.oci.image.index.v1+json"
)

// described is ECR with one repository: what its tags name, as a digest and a
// media type.
type described map[string][2]string

func (d described) call(operation string, raw json.RawMessage) (answer any, refusal string) {
	if operation == "GetAuthorizationToken" {
		token := base64.StdEncoding.EncodeToString([]byte("AWS:" + awsfake.Password))
		return map[string]any{"authorizationData": []any{map[string]any{"authorizationToken": token, "proxyEndpoint": "https://" + awsfake.ImageHost}}}, ""
	}
	var in struct {
		RepositoryName, RegistryID string
		ImageIDs                   []struct{ ImageTag string } `json:"imageIds"`
	}
	if json.Unmarshal(raw, &in) != nil || operation != "DescribeImages" {
		return nil, "UnknownOperation" + operation
	}
	if in.RepositoryName != "shop/web" {
		return nil, "RepositoryNotFoundException"
	}
	image, ok := d[in.ImageIDs[0].ImageTag]
	if !ok {
		return nil, "ImageNotFoundException"
	}
	return map[string]any{"imageDetails": []any{map[string]any{
		"registryId": awsfake.Account, "imageDigest": image[0], "imageManifestMediaType": image[1],
	}}}, ""
}

// newWorld has an image v1 for arm64, and one with the tag all for two
// architectures.
func newWorld(t *testing.T) (http.RoundTripper, described) {
	t.Helper()
	images := awsfake.Images(awsfake.Password)
	options := []remote.Option{
		remote.WithContext(t.Context()), remote.WithTransport(images), remote.WithAuth(&authn.Basic{Username: "AWS", Password: awsfake.Password}),
	}
	repo, err := name.NewRepository(repository)
	if err != nil {
		t.Fatal(err)
	}
	var index v1.ImageIndex = empty.Index
	known := described{}
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: architecture})
		if err != nil {
			t.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(repo.Tag(architecture), image, options...); err != nil {
			t.Fatal(err)
		}
		known[architecture] = [2]string{digest.String(), "application/vnd.oci.image.manifest.v1+json"}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(repo.Tag("all"), index, options...); err != nil {
		t.Fatal(err)
	}
	known["all"] = [2]string{digest.String(), indexType}
	return awsfake.WithImages(images, awsfake.InProcess(awsfake.API(known.call))), known
}

func open(h component.Host, c awsecrpull.BuilderConfig) (component.AnyBuilder, error) {
	builder, _, err := awsecrpull.Plugin.Builder.Open(h, func(into any) hcl.Diagnostics {
		*into.(*awsecrpull.BuilderConfig) = c
		return nil
	})
	return builder, err
}

func TestBuilder(t *testing.T) {
	t.Parallel()
	plugintest.Builder(t, plugintest.BuilderCase{
		Plugin: awsecrpull.Plugin,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			transport, _ := newWorld(t)
			return plugintest.World{
				Host:    component.Host{HTTP: &http.Client{Transport: transport}, Getenv: awsfake.Getenv},
				Config:  "repository = \"shop/web\"\ntag = \"arm64\"",
				Secrets: []secret.Text{awsfake.Password, "test-secret-key"},
				Reads:   awsfake.Reads,
			}
		},
	})
}

func TestBuild(t *testing.T) {
	t.Parallel()
	transport, known := newWorld(t)
	cases := map[string]struct {
		tag, force string
		want       artifact.Image
	}{
		"its own architecture":   {"arm64", "", artifact.Image{Digest: known["arm64"][0], Architecture: "arm64"}},
		"a forced one":           {"arm64", "x86_64", artifact.Image{Digest: known["arm64"][0], Architecture: "amd64"}},
		"several":                {"all", "", artifact.Image{Digest: known["all"][0]}},
		"one of several":         {"all", "arm64", artifact.Image{Digest: known["arm64"][0], Architecture: "arm64"}},
		"another one of several": {"all", "x86_64", artifact.Image{Digest: known["amd64"][0], Architecture: "amd64"}},
		"as images call it":      {"all", "amd64", artifact.Image{Digest: known["amd64"][0], Architecture: "amd64"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			builder, err := open(awsfake.Host(awsfake.Getenv, transport), awsecrpull.BuilderConfig{Repository: "shop/web", Tag: c.tag, ForceArchitecture: c.force})
			if err != nil {
				t.Fatal(err)
			}
			c.want.Repository, c.want.Tag = repository, c.tag
			got, err := builder.Build(t.Context(), component.BuildRequest{})
			if err != nil || got != c.want {
				t.Errorf("Build = %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

// TestRegion takes it from the variables that AWS's own programs know.
func TestRegion(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]string{"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_REGION_DEFAULT": "The region of AWS is not known"} {
		host := awsfake.Host(func(name string) string { return map[string]string{variable: "eu-west-1"}[name] }, nil)
		host.IDToken = func(context.Context, string) (secret.Text, error) { return "", errors.New("nobody may ask") }
		_, err := open(host, awsecrpull.BuilderConfig{Repository: "web", Tag: "v1"})
		problem, _ := errors.AsType[*diag.Problem](err)
		if want == "" && err != nil || want != "" && (problem == nil || problem.Summary != want || problem.Attr != "region") {
			t.Errorf("with %s: %v, want %q", variable, err, want)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		config        awsecrpull.BuilderConfig
		summary, attr string
	}{
		"repository":    {awsecrpull.BuilderConfig{Repository: "Shop", Tag: "v1"}, "Invalid repository name", "repository"},
		"tag":           {awsecrpull.BuilderConfig{Repository: "web", Tag: "a b"}, "Invalid image tag", "tag"},
		"account":       {awsecrpull.BuilderConfig{Repository: "web", Tag: "v1", RegistryID: "1"}, "Invalid registry_id", "registry_id"},
		"architecture":  {awsecrpull.BuilderConfig{Repository: "web", Tag: "v1", ForceArchitecture: "arm"}, "Unknown force_architecture", "force_architecture"},
		"no such tag":   {awsecrpull.BuilderConfig{Repository: "shop/web", Tag: "v2"}, "Image not found", "tag"},
		"no such place": {awsecrpull.BuilderConfig{Repository: "shop/api", Tag: "v1"}, "Repository not found", "repository"},
		"of an account": {awsecrpull.BuilderConfig{Repository: "shop/api", Tag: "v1", RegistryID: "111122223333"}, "Repository not found", "repository"},
	}
	transport, _ := newWorld(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			builder, err := open(awsfake.Host(awsfake.Getenv, transport), c.config)
			if err == nil {
				_, err = builder.Build(t.Context(), component.BuildRequest{})
			}
			problem, _ := errors.AsType[*diag.Problem](err)
			if problem == nil || problem.Summary != c.summary || problem.Attr != c.attr {
				t.Errorf("%v, want the problem %q at %s", err, c.summary, c.attr)
			}
		})
	}
}

// TestPolicy works with what docs/aws.md allows, and with nothing less.
func TestPolicy(t *testing.T) {
	t.Parallel()
	all := awsfake.Documented(t, "aws-ecr-pull")
	transport, _ := newWorld(t)
	for _, without := range append([]string{""}, all...) {
		host := awsfake.Host(awsfake.Getenv, awsfake.Under(awsfake.Without(all, without), transport))
		builder, err := open(host, awsecrpull.BuilderConfig{Repository: "shop/web", Tag: "arm64"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := builder.Build(t.Context(), component.BuildRequest{}); (err == nil) != (without == "") {
			t.Errorf("without %q: %v", without, err)
		}
	}
}
