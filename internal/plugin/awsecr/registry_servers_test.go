//go:build servers

package awsecr_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/plugin/awsecr"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

const host = awsfake.ImageHost

// TestInAccount has several repositories in one account.
func TestInAccount(t *testing.T) {
	moto := servers.Moto(t)
	for name, test := range map[string]func(*testing.T, *servers.MotoServer){
		"life of a repository": lifeOfARepository, "others' repositories": leavesOthersRepositories,
		"promotion": promotion, "one sign-in": oneSignIn,
	} {
		t.Run(name, func(t *testing.T) { test(t, moto) })
	}
}

// account is what a test looks at in an AWS account.
type account struct {
	*ecr.Client
	host component.Host
}

func newAccount(moto *servers.MotoServer, images http.RoundTripper) account {
	client := ecr.New(ecr.Options{
		Region: "us-east-1", BaseEndpoint: &moto.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	return account{client, awsfake.Host(moto.Getenv, awsfake.WithImages(images, http.DefaultTransport))}
}

// repository returns a repository as it is, with its tags and its policy.
func (a account) repository(t *testing.T, name string) (types.Repository, map[string]string, string) {
	t.Helper()
	answer, err := a.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{RepositoryNames: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	tags, err := a.ListTagsForResource(t.Context(), &ecr.ListTagsForResourceInput{ResourceArn: answer.Repositories[0].RepositoryArn})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, tag := range tags.Tags {
		all[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	policy, err := a.GetLifecyclePolicy(t.Context(), &ecr.GetLifecyclePolicyInput{RepositoryName: &name})
	if _, none := errors.AsType[*types.LifecyclePolicyNotFoundException](err); err != nil && !none {
		t.Fatal(err)
	}
	if policy == nil {
		return answer.Repositories[0], all, ""
	}
	return answer.Repositories[0], all, sdk.ToString(policy.LifecyclePolicyText)
}

// push pushes an image with a block.
func (a account) push(t *testing.T, c awsecr.RegistryConfig, image artifact.Image) (artifact.Image, error) {
	t.Helper()
	pushed, err := openWith(t, a.host, c).Push(t.Context(), request(image))
	got, _ := pushed.(artifact.Image)
	return got, err
}

// tagged returns the digest that a tag names.
func (a account) tagged(t *testing.T, repository, tag string) string {
	t.Helper()
	client := oci.Client{HTTP: a.host.HTTP, Credentials: oci.Credentials{Logins: map[string]oci.Login{
		oci.Host(repository): {Username: "AWS", Password: awsfake.Password},
	}}}
	digest, err := client.Tagged(t.Context(), artifact.Repository{Name: repository}, tag)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// lifeOfARepository makes one, with a real registry for its images, and
// changes what the block says of it.
func lifeOfARepository(t *testing.T, moto *servers.MotoServer) {
	images := servers.Distribution(t, servers.RegistryConfig{Username: "AWS", Password: awsfake.Password})
	a := newAccount(moto, awsfake.At(images.Host))
	image := awsfake.Image(t, "one", "amd64")
	c := awsecr.RegistryConfig{Tag: "v1", Tags: map[string]string{"team": "blue"}, Lifecycle: &awsecr.Lifecycle{UntaggedCount: 5}}
	pushed, err := a.push(t, c, image)
	want := artifact.Image{Repository: host + "/waypoint-web", Tag: "v1", Digest: image.Digest, Architecture: "amd64"}
	if err != nil || pushed != want {
		t.Fatalf("Push = %+v, %v, want %+v", pushed, err, want)
	}
	made, tags, policy := a.repository(t, "waypoint-web")
	if made.ImageScanningConfiguration.ScanOnPush || tags["team"] != "blue" || tags["deploy-action.dev/app"] != "web" ||
		!strings.Contains(policy, `"untagged"`) || strings.Contains(policy, `"tagged"`) {
		t.Errorf("made %+v with tags %v and policy %s", made, tags, policy)
	}
	lasting := "deploy-action-" + strings.TrimPrefix(image.Digest, "sha256:")
	if got := a.tagged(t, host+"/waypoint-web", lasting); got != image.Digest {
		t.Errorf("%s names %q, want %s", lasting, got, image.Digest)
	}

	c.ScanOnPush, c.TagMutability, c.Lifecycle, c.Tags = new(true), "immutable", &awsecr.Lifecycle{UntaggedDays: 3}, map[string]string{"team": "red"}
	_, plan, err := openWith(t, a.host, c).Plan(t.Context(), request(image))
	if err != nil || len(plan.Changes) != 2 || plan.Changes[0].Action != component.Update || plan.Changes[1].Action != component.Keep {
		t.Errorf("planning other settings: %+v, %v", plan, err)
	}
	if _, err := a.push(t, c, image); err != nil {
		t.Fatal(err)
	}
	made, tags, policy = a.repository(t, "waypoint-web")
	if !made.ImageScanningConfiguration.ScanOnPush || made.ImageTagMutability != types.ImageTagMutabilityImmutable ||
		tags["team"] != "red" || !strings.Contains(policy, "sinceImagePushed") {
		t.Errorf("changed to %+v with tags %v and policy %s", made, tags, policy)
	}
	other := awsfake.Image(t, "two", "amd64")
	for doing, err := range map[string]error{
		"pushing":  second(a.push(t, c, other)),
		"planning": third(openWith(t, a.host, c).Plan(t.Context(), request(other))),
	} {
		problem, _ := errors.AsType[*diag.Problem](err)
		if problem == nil || problem.Summary != "Tag v1 cannot be moved" || problem.Attr != "tag" || !strings.Contains(problem.Detail, image.Digest) {
			t.Errorf("%s another image as v1: %v", doing, err)
		}
	}
	if got := a.tagged(t, host+"/waypoint-web", "v1"); got != image.Digest {
		t.Errorf("v1 names %s, want %s", got, image.Digest)
	}
}

func second(_ artifact.Image, err error) error { return err }

func third(_ artifact.Artifact, _ component.Plan, err error) error { return err }

// leavesOthersRepositories pushes into one that somebody else has made.
func leavesOthersRepositories(t *testing.T, moto *servers.MotoServer) {
	a := newAccount(moto, awsfake.Images(awsfake.Password))
	for _, tags := range [][]types.Tag{nil, {{Key: new("deploy-action.dev/project"), Value: new("shop")}, {Key: new("deploy-action.dev/app"), Value: new("api")}}} {
		name := "theirs" + string('a'+rune(len(tags)))
		if _, err := a.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &name, Tags: tags}); err != nil {
			t.Fatal(err)
		}
		image := awsfake.Image(t, "one", "amd64")
		c := awsecr.RegistryConfig{Repository: name, Tag: "v1", Tags: map[string]string{"team": "blue"}, ScanOnPush: new(true), TagMutability: "immutable", Lifecycle: &awsecr.Lifecycle{UntaggedDays: 1}}
		_, plan, err := openWith(t, a.host, c).Plan(t.Context(), request(image))
		if err != nil || plan.Changes[0].Action != component.Keep || !strings.Contains(plan.Changes[0].Reason, "not made by this plugin") {
			t.Errorf("Plan = %+v, %v", plan, err)
		}
		if _, err := a.push(t, c, image); err != nil {
			t.Fatal(err)
		}
		has, got, policy := a.repository(t, name)
		if has.ImageScanningConfiguration.ScanOnPush || has.ImageTagMutability != types.ImageTagMutabilityMutable || len(got) != len(tags) || policy != "" {
			t.Errorf("the repository became %+v with tags %v and policy %q", has, got, policy)
		}
		if got := a.tagged(t, host+"/"+name, "deploy-action-"+strings.TrimPrefix(image.Digest, "sha256:")); got != "" {
			t.Error("it got a tag that nobody asked for")
		}
	}
}

// promotion copies an image of another account and region by its digest, and
// what refers to it.
func promotion(t *testing.T, moto *servers.MotoServer) {
	const elsewhere = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web"
	a := newAccount(moto, awsfake.Images(awsfake.Password))
	image := awsfake.Image(t, "one", "amd64")
	if _, err := a.push(t, awsecr.RegistryConfig{Region: "eu-west-1", Repository: "shop/web", Tag: "v1"}, image); err != nil {
		t.Fatal(err)
	}
	from := artifact.Image{Repository: elsewhere, Tag: "v1", Digest: image.Digest, Architecture: "amd64"}
	pushed, err := a.push(t, awsecr.RegistryConfig{Repository: "prod/web", Tag: "live"}, from)
	want := artifact.Image{Repository: host + "/prod/web", Tag: "live", Digest: image.Digest, Architecture: "amd64"}
	if err != nil || pushed != want {
		t.Errorf("Push = %+v, %v, want %+v", pushed, err, want)
	}
}

// oneSignIn counts what a push asks of AWS where nothing changes.
func oneSignIn(t *testing.T, moto *servers.MotoServer) {
	a := newAccount(moto, awsfake.Images(awsfake.Password))
	image := awsfake.Image(t, "one", "amd64")
	c := awsecr.RegistryConfig{Repository: "once", Tag: "v1"}
	if _, err := a.push(t, c, image); err != nil {
		t.Fatal(err)
	}
	var asked []string
	inner := a.host.HTTP.Transport
	a.host.HTTP = &http.Client{Transport: awsfake.RoundTrip(func(r *http.Request) (*http.Response, error) {
		if operation := servers.AWSOperation(r); operation != "" {
			asked = append(asked, operation)
		}
		return inner.RoundTrip(r)
	})}
	if _, err := a.push(t, c, image); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 3 {
		t.Errorf("asked %q, want the repository, its tags and one login", asked)
	}
}
