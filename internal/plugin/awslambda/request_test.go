package awslambda

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

const (
	repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web"
	digits     = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

var firstImage = artifact.Image{Repository: repository, Digest: "sha256:" + digits, Architecture: "amd64"}

// wantProblem checks what a user is told.
func wantProblem(t *testing.T, err error, summary, attr, detail string) {
	t.Helper()
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || !strings.Contains(problem.Summary, summary) || !strings.Contains(problem.Detail, detail) || problem.Attr != attr {
		t.Fatalf("the error is %v (%#v), want a problem that says %q and %q at %q", err, problem, summary, detail, attr)
	}
}

// opened returns the platform on a configuration.
func opened(t *testing.T, h component.Host, cfg Config) *platform {
	t.Helper()
	cfg.Region = "us-east-1"
	p, err := openPlatform(h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p.(*platform)
}

// offline is a host without AWS.
var offline = component.Host{Getenv: func(string) string { return "" }}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg                   Config
		summary, attr, detail string
	}{
		"memory":       {Config{Memory: 64}, "64 MB of memory", "memory", "from 128 to 10240"},
		"timeout":      {Config{Timeout: 901}, "901 seconds", "timeout", "from 1 to 900"},
		"storage":      {Config{StorageMB: 100}, "100 MB of storage", "storagemb", "from 512 to 10240"},
		"architecture": {Config{Architecture: "arm46"}, `no architecture "arm46"`, "architecture", "arm64"},
		"name":         {Config{FunctionName: "shop.web"}, `named "shop.web"`, "function_name", "letters, digits"},
		"role":         {Config{IAMRole: "deployer"}, `"deployer" is not the ARN`, "iam_role", "arn:aws:iam"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := openPlatform(offline, c.cfg)
			wantProblem(t, err, c.summary, c.attr, c.detail)
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  Config
		app  component.App
		want string
	}{
		"default":     {Config{}, component.App{Name: "web", Workspace: "default"}, "web"},
		"set":         {Config{FunctionName: "mine"}, component.App{Name: "web", Workspace: "pr-1"}, "mine"},
		"workspace":   {Config{}, component.App{Name: "web", Workspace: "pr-1"}, "web-pr-1-"},
		"not allowed": {Config{}, component.App{Name: "web.api", Workspace: "default"}, "web-api-default-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.cfg.name(c.app)
			if !strings.HasPrefix(got, c.want) || len(got) > len(c.want)+6 || !functionName.MatchString(got) {
				t.Errorf("name() = %q, want %q", got, c.want)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	image := func(change func(*artifact.Image)) artifact.Image {
		changed := firstImage
		change(&changed)
		return changed
	}
	env := func(name, value string, sensitive bool) component.DeployInput {
		return component.DeployInput{Env: map[string]component.Setting{name: {Text: secret.Text(value), Sensitive: sensitive}}}
	}
	for name, c := range map[string]struct {
		cfg                   Config
		artifact              artifact.Artifact
		in                    component.DeployInput
		summary, attr, detail string
	}{
		"index":           {Config{}, image(func(i *artifact.Image) { i.Architecture = "" }), component.DeployInput{}, "several platforms", "architecture", "`platforms`"},
		"processor":       {Config{}, image(func(i *artifact.Image) { i.Architecture = "s390x" }), component.DeployInput{}, "no s390x processors", "", "linux/amd64"},
		"other processor": {Config{Architecture: "arm64"}, firstImage, component.DeployInput{}, "made for x86_64", "architecture", `"arm64"`},
		"not ECR":         {Config{}, image(func(i *artifact.Image) { i.Repository = "ghcr.io/shop/web" }), component.DeployInput{}, "ECR only", "", "aws-ecr"},
		"not pushed":      {Config{}, image(func(i *artifact.Image) { i.Layout = "/layout" }), component.DeployInput{}, "ECR only", "", "aws-ecr"},
		"other region": {
			Config{},
			image(func(i *artifact.Image) { i.Repository = strings.Replace(repository, "us-east-1", "eu-west-1", 1) }),
			component.DeployInput{},
			"in eu-west-1, and the function in us-east-1", "region", "its own region",
		},
		"runtime of an image": {Config{Runtime: "nodejs22.x"}, firstImage, component.DeployInput{}, "its own runtime", "runtime", "for files"},
		"no runtime":          {Config{Handler: "index.handler"}, artifact.Files{Path: "."}, component.DeployInput{}, "need a runtime", "runtime", "nodejs22.x"},
		"no handler":          {Config{Runtime: "nodejs22.x"}, artifact.Files{Path: "."}, component.DeployInput{}, "need a handler", "handler", "index.handler"},
		"sensitive":           {Config{}, firstImage, env("TOKEN", "s3cr3t", true), "Sensitive values", "plaintext_secrets", `"TOKEN"`},
		"reserved":            {Config{}, firstImage, env("AWS_REGION", "x", false), `variable "AWS_REGION"`, "", "keeps some"},
		"short name":          {Config{}, firstImage, env("A", "x", false), `variable "A"`, "", "two letters"},
		"large":               {Config{}, firstImage, env("BIG", strings.Repeat("x", 5000), false), "too large", "", "5003 bytes"},
		"files": {
			Config{PlaintextSecrets: true},
			firstImage,
			component.DeployInput{Files: map[string]component.Setting{"/etc/app": {}}},
			"takes no files", "", `"/etc/app"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := opened(t, offline, c.cfg).wanted(component.DeployRequest[artifact.Artifact]{Artifact: c.artifact, DeployInput: c.in})
			wantProblem(t, err, c.summary, c.attr, c.detail)
		})
	}
}

func TestImagesThatLambdaTakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg          Config
		image        artifact.Image
		architecture types.Architecture
		uri          string
	}{
		"digest":      {Config{}, artifact.Image{Repository: repository, Tag: "v1", Digest: "sha256:" + digits, Architecture: "arm64"}, "arm64", repository + "@sha256:" + digits},
		"tag":         {Config{}, artifact.Image{Repository: repository, Tag: "v1", Architecture: "amd64"}, "x86_64", repository + ":v1"},
		"not known":   {Config{Architecture: "arm64"}, artifact.Image{Repository: repository, Tag: "v1"}, "arm64", repository + ":v1"},
		"said as AWS": {Config{}, artifact.Image{Repository: repository, Tag: "v1", Architecture: "x86_64"}, "x86_64", repository + ":v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := opened(t, offline, c.cfg).wanted(component.DeployRequest[artifact.Artifact]{Artifact: c.image})
			if err != nil || want.image != c.uri || want.architecture != c.architecture {
				t.Errorf("wanted() = %+v, %v, want %s for %s", want, err, c.uri, c.architecture)
			}
		})
	}
}

func TestDescriptions(t *testing.T) {
	t.Parallel()
	if id, sequence := described(describe("web-abc", 12)); id != "web-abc" || sequence != 12 {
		t.Errorf("reads %q and %d, want what was written", id, sequence)
	}
	for _, theirs := range []string{"", "deployment=web-abc sequence=12", "Handles orders"} {
		if id, _ := described(theirs); id != "" {
			t.Errorf("%q is taken for our deployment %q", theirs, id)
		}
	}
}

// write makes a folder of files with their modes.
func write(t *testing.T, files map[string]os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("content of "+name), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestArchivesOfEqualFilesAreEqual(t *testing.T) {
	t.Parallel()
	first := write(t, map[string]os.FileMode{"bootstrap": 0o700, "lib/a.txt": 0o600})
	second := write(t, map[string]os.FileMode{"lib/a.txt": 0o640, "bootstrap": 0o755})
	a, sumA, errA := pack(first)
	b, sumB, errB := pack(second)
	if errA != nil || errB != nil || !slices.Equal(a, b) || sumA != sumB || len(sumA) != 44 {
		t.Errorf("archives have %d and %d bytes and the sums %s and %s (%v, %v), want equal ones", len(a), len(b), sumA, sumB, errA, errB)
	}
	third := write(t, map[string]os.FileMode{"lib/a.txt": 0o600, "bootstrap": 0o600})
	if _, sum, err := pack(third); err != nil || sum == sumA {
		t.Errorf("a program that may not run has the sum %s, as one that may (%v)", sum, err)
	}
}

func TestArchivesThatAreTooLarge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "zeros"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(unpackedLimit + 1); err != nil {
		t.Fatal(err)
	}
	_, _, err = pack(dir)
	wantProblem(t, err, "too large", "", "container image")
}

func TestStates(t *testing.T) {
	t.Parallel()
	_, err := settled(&config{State: types.StateFailed, StateReason: new("The image is gone."), StateReasonCode: types.StateReasonCodeImageDeleted}, true)
	wantProblem(t, err, "cannot start: The image is gone", "", "Push it again")
	failed := &config{State: types.StateActive, LastUpdateStatus: types.LastUpdateStatusFailed, LastUpdateStatusReason: new("No access")}
	_, err = settled(failed, true)
	wantProblem(t, err, "could not change the function: No access", "", "deploy again")
	if done, err := settled(failed, false); !done || err != nil {
		t.Errorf("an earlier change that failed keeps from the next one: %v, %v", done, err)
	}
	for _, c := range []struct {
		state types.State
		last  types.LastUpdateStatus
		want  bool
	}{
		{types.StatePending, "", false},
		{types.StateActive, types.LastUpdateStatusInProgress, false},
		{types.StateActive, types.LastUpdateStatusSuccessful, true},
		{types.StateInactive, types.LastUpdateStatusSuccessful, true},
	} {
		if done, err := settled(&config{State: c.state, LastUpdateStatus: c.last}, true); done != c.want || err != nil {
			t.Errorf("%s %s: settled() = %v, %v, want %v", c.state, c.last, done, err, c.want)
		}
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	made := Deployment{Name: "web", Version: "3", Code: "repo@sha256:a", Memory: 256, Timeout: 60, Storage: 512, Env: []string{"A1", "B1"}}
	live := &lambda.GetFunctionOutput{
		Code: &types.FunctionCodeLocation{ImageUri: new("repo@sha256:b")},
		Configuration: &types.FunctionConfiguration{
			MemorySize: new(int32(512)), Timeout: new(int32(60)), EphemeralStorage: &types.EphemeralStorage{Size: new(int32(512))},
			Environment: &types.EnvironmentResponse{Variables: map[string]string{"A1": "secret"}},
		},
	}
	var got []string
	for _, change := range drift(made, live) {
		got = append(got, change.Subject+" "+change.Reason)
	}
	want := []string{
		"function/web:3 code was repo@sha256:a, is repo@sha256:b", "function/web:3 memory was 256, is 512",
		"function/web:3 environment was A1, B1, is A1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("drift() = %q, want %q", got, want)
	}
}

// A function whose tags are kept back must not look like somebody else's.
func TestTagsKeptBack(t *testing.T) {
	t.Parallel()
	err := readable(&lambda.GetFunctionOutput{TagsError: &types.TagsError{ErrorCode: new("AccessDeniedException"), Message: new("not authorized.")}})
	wantProblem(t, err, "tags of the function cannot be read", "", "lambda:ListTags")
	if err := readable(&lambda.GetFunctionOutput{}); err != nil {
		t.Error(err)
	}
}
