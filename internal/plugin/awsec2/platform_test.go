package awsec2_test

import (
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/awsec2"
	"github.com/deploy-action/deploy-action/internal/secret"
)

func tryOpen(t *testing.T, host component.Host, body string) (component.AnyPlatform, error) {
	t.Helper()
	p, diags, err := awsec2.Plugin.Platform.Open(host, func(into any) hcl.Diagnostics {
		file, diags := hclparse.NewParser().ParseHCL([]byte(body), "waypoint.hcl")
		if diags.HasErrors() {
			return diags
		}
		return gohcl.DecodeBody(file.Body, nil, into)
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p, err
}

func open(t *testing.T, host component.Host, body string) component.AnyPlatform {
	t.Helper()
	p, err := tryOpen(t, host, body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newRequest(id string) component.DeployRequest[artifact.Artifact] {
	return component.DeployRequest[artifact.Artifact]{
		Artifact:    artifact.MachineImage{ID: "ami-03cf127a", Region: "us-east-1"},
		DeployInput: component.DeployInput{App: component.App{Project: "acme", Name: "web", Workspace: "default"}, ID: id, Sequence: 1},
	}
}

var content = regexp.MustCompile(`content: (\S+)`)

// decoded returns the content of the first file of user data.
func decoded(t *testing.T, userData string) string {
	t.Helper()
	config, err := base64.StdEncoding.DecodeString(userData)
	if err != nil {
		t.Fatal(err)
	}
	found := content.FindSubmatch(config)
	if found == nil {
		t.Fatalf("the user data is %q", config)
	}
	text, err := base64.StdEncoding.DecodeString(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func wantProblem(t *testing.T, err error, attr, says string) {
	t.Helper()
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Attr != attr || !strings.Contains(problem.Summary+" "+problem.Detail, says) {
		t.Errorf("got %+v, want a problem at %q that says %q", err, attr, says)
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	const good = "region = \"eu-west-1\"\ninstance_type = \"t3.small\"\n"
	cases := map[string]struct{ body, attr, says string }{
		"port":          {good + `service_port = 70000`, "service_port", "70000"},
		"extra port":    {good + "service_port = 80\nextra_ports = [-1]", "extra_ports", "-1"},
		"two subnets":   {good + "service_port = 80\nsubnet = \"subnet-1\"\nsubnets = [\"subnet-2\"]", "subnet", "Both"},
		"too few":       {good + "service_port = 80\ncount {\n min = 3\n max = 2\n}", "count", "min is 3, desired is 2 and max is 2"},
		"desired above": {good + "service_port = 80\ncount {\n desired = 3\n max = 2\n}", "count", "desired is 3"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tryOpen(t, component.Host{Getenv: func(string) string { return "" }}, c.body)
			wantProblem(t, err, c.attr, c.says)
		})
	}
}

// TestRefusedBeforeAnything shows requests that are refused without a call: the
// host has no client.
func TestRefusedBeforeAnything(t *testing.T) {
	t.Parallel()
	const body = "region = \"us-east-1\"\ninstance_type = \"t3.small\"\nservice_port = 80\n"
	cases := map[string]struct {
		change     func(*component.DeployRequest[artifact.Artifact])
		attr, says string
	}{
		"secret": {func(r *component.DeployRequest[artifact.Artifact]) {
			r.Env = map[string]component.Setting{"TOKEN": {Text: "abc", Sensitive: true}}
		}, "plaintext_secrets", `["TOKEN"]`},
		"another region": {func(r *component.DeployRequest[artifact.Artifact]) {
			r.Artifact = artifact.MachineImage{ID: "ami-1", Region: "eu-west-1"}
		}, "region", "ami-1 is in eu-west-1"},
		"large": {func(r *component.DeployRequest[artifact.Artifact]) {
			r.Files = map[string]component.Setting{"/etc/app": {Text: secret.Text(strings.Repeat("x", 20000))}}
		}, "", "EC2 takes 16384"},
		"relative": {func(r *component.DeployRequest[artifact.Artifact]) {
			r.Files = map[string]component.Setting{"app.conf": {Text: "x"}}
		}, "", "absolute"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t, component.Host{Getenv: func(string) string { return "" }}, body)
			request := newRequest("web-1")
			c.change(&request)
			_, err := p.Plan(t.Context(), request)
			wantProblem(t, err, c.attr, c.says)
			if made, err := p.Deploy(t.Context(), request); err == nil || made != nil {
				t.Errorf("Deploy() = %v, %v, want nothing made", made, err)
			}
		})
	}
}
