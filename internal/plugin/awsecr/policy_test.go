package awsecr_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/plugin/awsecr"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
)

// TestPolicy works with what docs/aws.md allows, and with nothing less.
func TestPolicy(t *testing.T) {
	t.Parallel()
	all := awsfake.Documented(t, "aws-ecr")
	if err := everything(t, all); err != nil {
		t.Errorf("with the whole policy: %v", err)
	}
	for _, action := range all {
		err := everything(t, awsfake.Without(all, action))
		// Without this one more is sent than is needed.
		if wasteful := action == "ecr:BatchCheckLayerAvailability"; (err == nil) != wasteful {
			t.Errorf("without %s: %v", action, err)
		}
	}
}

// everything makes a repository for an image that is copied, and changes all of
// its settings.
func everything(t *testing.T, actions []string) error {
	t.Helper()
	here, elsewhere := awsfake.Images(awsfake.Password), awsfake.Images(awsfake.Password)
	images := awsfake.RoundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.Contains(r.URL.Host, ".eu-west-1.") {
			return elsewhere.RoundTrip(r)
		}
		return here.RoundTrip(r)
	})
	transport := awsfake.WithImages(images, (&fakeECR{}).transport())
	source := awsecr.RegistryConfig{Region: "eu-west-1", Repository: "source", Tag: "v1"}
	image := awsfake.Image(t, "one", "amd64")
	if _, err := openWith(t, awsfake.Host(awsfake.Getenv, awsfake.WithImages(elsewhere, (&fakeECR{}).transport())), source).Push(t.Context(), request(image)); err != nil {
		t.Fatal(err)
	}
	from := artifact.Image{Repository: strings.Replace(awsfake.ImageHost, "us-east-1", "eu-west-1", 1) + "/source", Digest: image.Digest}
	host := awsfake.Host(awsfake.Getenv, awsfake.Under(actions, transport))
	for _, c := range []awsecr.RegistryConfig{
		{Tag: "v1"},
		{Tag: "v2", ScanOnPush: new(true), TagMutability: "immutable", Tags: map[string]string{"team": "blue"}, Lifecycle: &awsecr.Lifecycle{UntaggedDays: 1}},
	} {
		if _, err := openWith(t, host, c).Push(t.Context(), request(from)); err != nil {
			return err
		}
	}
	return nil
}
