package awsecr_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/awsecr"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
)

// fakeECR is the part of ECR's API that the plugin calls, in memory.
type fakeECR struct {
	mu           sync.Mutex
	repositories map[string]*fakeRepository
	logins       int // how often one was asked for
}

type fakeRepository struct {
	Name   string              `json:"repositoryName"`
	ARN    string              `json:"repositoryArn"`
	Scan   map[string]bool     `json:"imageScanningConfiguration,omitempty"`
	Tags   []map[string]string `json:"-"`
	Moves  string              `json:"imageTagMutability"`
	policy string
}

// fakeInput has the fields of all requests.
type fakeInput struct {
	RepositoryNames            []string
	RepositoryName             string
	ResourceArn                string
	ImageScanningConfiguration map[string]bool
	ImageTagMutability         string
	LifecyclePolicyText        string
	Tags                       []map[string]string
}

// transport sends requests to the fake.
func (f *fakeECR) transport() http.RoundTripper { return awsfake.InProcess(awsfake.API(f.call)) }

func (f *fakeECR) call(operation string, raw json.RawMessage) (answer any, refusal string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var in fakeInput
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, "SerializationException"
	}
	return f.answer(operation, in)
}

func (f *fakeECR) answer(operation string, in fakeInput) (answer any, refusal string) {
	if operation == "GetAuthorizationToken" {
		f.logins++
		token := base64.StdEncoding.EncodeToString([]byte("AWS:" + awsfake.Password))
		return map[string]any{"authorizationData": []any{map[string]any{"authorizationToken": token, "proxyEndpoint": "https://" + awsfake.ImageHost, "expiresAt": 1420070400}}}, ""
	}
	name := in.RepositoryName
	if len(in.RepositoryNames) > 0 {
		name = in.RepositoryNames[0]
	}
	if in.ResourceArn != "" {
		name = strings.TrimPrefix(in.ResourceArn, arnPrefix)
	}
	repository := f.repositories[name]
	if operation == "CreateRepository" {
		return f.create(repository, in)
	}
	if repository == nil {
		return nil, "RepositoryNotFoundException"
	}
	switch operation {
	case "DescribeRepositories":
		return map[string]any{"repositories": []any{repository}}, ""
	case "ListTagsForResource":
		return map[string]any{"tags": repository.Tags}, ""
	case "GetLifecyclePolicy":
		if repository.policy == "" {
			return nil, "LifecyclePolicyNotFoundException"
		}
		return map[string]any{"lifecyclePolicyText": repository.policy}, ""
	case "PutLifecyclePolicy":
		repository.policy = in.LifecyclePolicyText
	case "PutImageScanningConfiguration":
		repository.Scan = in.ImageScanningConfiguration
	case "PutImageTagMutability":
		repository.Moves = in.ImageTagMutability
	case "TagResource":
		repository.Tags = in.Tags
	default:
		return nil, "UnknownOperation" + operation
	}
	return map[string]any{}, ""
}

const arnPrefix = "arn:aws:ecr:us-east-1:123456789012:repository/"

func (f *fakeECR) create(existing *fakeRepository, in fakeInput) (answer any, refusal string) {
	if existing != nil {
		return nil, "RepositoryAlreadyExistsException"
	}
	if f.repositories == nil {
		f.repositories = map[string]*fakeRepository{}
	}
	made := &fakeRepository{
		Name: in.RepositoryName, ARN: arnPrefix + in.RepositoryName, Scan: in.ImageScanningConfiguration, Tags: in.Tags, Moves: "MUTABLE",
	}
	if in.ImageTagMutability != "" {
		made.Moves = in.ImageTagMutability
	}
	f.repositories[made.Name] = made
	return map[string]any{"repository": made}, ""
}

func openWith(t *testing.T, h component.Host, c awsecr.RegistryConfig) component.AnyRegistry {
	t.Helper()
	opened, err := tryOpen(h, c)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func tryOpen(h component.Host, c awsecr.RegistryConfig) (component.AnyRegistry, error) {
	opened, _, err := awsecr.Plugin.Registry.Open(h, func(into any) hcl.Diagnostics {
		*into.(*awsecr.RegistryConfig) = c
		return nil
	})
	return opened, err
}

var app = component.App{Project: "shop", Name: "web", Workspace: "default"}

func request(image artifact.Image) component.PushRequest[artifact.Artifact] {
	return component.PushRequest[artifact.Artifact]{App: app, Artifact: image}
}
