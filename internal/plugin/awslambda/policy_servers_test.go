//go:build servers

package awslambda

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/deploy-action/deploy-action/internal/component"
)

// permissions are the actions that AWS asks for, by what the bridge names a
// request, where that is not the name of the operation.
var permissions = map[string][]string{
	"GET web":                  {"lambda:GetFunction", "lambda:ListTags"},
	"GET configuration":        {"lambda:GetFunctionConfiguration"},
	"GET versions":             {"lambda:ListVersionsByFunction"},
	"POST functions":           {"lambda:CreateFunction", "lambda:TagResource", "iam:PassRole", "ecr:GetRepositoryPolicy", "ecr:SetRepositoryPolicy"},
	"PUT configuration":        {"lambda:UpdateFunctionConfiguration"},
	"PUT code":                 {"lambda:UpdateFunctionCode"},
	"POST versions":            {"lambda:PublishVersion"},
	"POST policy":              {"lambda:AddPermission"},
	"DELETE web":               {"lambda:DeleteFunction"},
	"CreateRole":               {"iam:CreateRole", "iam:TagRole"},
	"GetRole":                  {"iam:GetRole"},
	"AttachRolePolicy":         {"iam:AttachRolePolicy"},
	"ListAttachedRolePolicies": {"iam:ListAttachedRolePolicies"},
	"DetachRolePolicy":         {"iam:DetachRolePolicy"},
	"ListRolePolicies":         {"iam:ListRolePolicies"},
	"DeleteRole":               {"iam:DeleteRole"},
	"CreateLogGroup":           {"logs:CreateLogGroup", "logs:TagResource"},
	"DescribeLogGroups":        {"logs:DescribeLogGroups"},
	"ListTagsForResource":      {"logs:ListTagsForResource"},
	"DescribeLogStreams":       {"logs:DescribeLogStreams"},
	"FilterLogEvents":          {"logs:FilterLogEvents"},
	"GetLogEvents":             {"logs:GetLogEvents"},
	"DeleteLogGroup":           {"logs:DeleteLogGroup"},
	"CreateTargetGroup":        {"elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:AddTags"},
}

// needsItsPolicy lives a whole life, and compares what it asks with what
// docs/aws.md allows: no action less, and none more.
func needsItsPolicy(t *testing.T, a *account, b *bridge) {
	p := opened(t, a.host, Config{})
	next := request("web-2")
	next.Artifact = secondImage
	_, err := p.Plan(t.Context(), request("web-1"))
	a.must(err)
	first := a.deploy(Config{}, request("web-1"))
	a.deploy(Config{}, next)
	a.deploy(Config{}, next)
	_, err = a.logs.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{
		LogGroupName: new(logGroup("web")), LogStreamName: new("2026/01/02/[1]aaa"),
	})
	a.must(err)
	for _, tail := range []int{0, 1} {
		for _, err := range p.Logs(t.Context(), first, component.LogRequest{Tail: tail}) {
			a.must(err)
		}
	}
	_, err = p.Status(t.Context(), first)
	a.must(err)
	found, err := p.Find(t.Context(), app)
	a.must(err)
	for _, target := range found {
		a.must(p.Destroy(t.Context(), target))
	}
	a.must(p.DestroyShared(t.Context(), app))

	asked := map[string]bool{}
	for _, call := range b.calls() {
		needed, special := permissions[call]
		if !special {
			needed = []string{"elasticloadbalancing:" + call}
		}
		for _, action := range needed {
			asked[action] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(asked)), documented(t, "aws-lambda"); !slices.Equal(got, want) {
		t.Errorf("a whole life needs\n%s\n\nand docs/aws.md allows\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// documented returns the actions of the policy in a section of docs/aws.md.
func documented(t *testing.T, section string) []string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut("\n"+string(page), "\n### "+section+"\n")
	_, text, _ = strings.Cut(text, "```json\n")
	text, _, _ = strings.Cut(text, "```")
	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		t.Fatalf("docs/aws.md has no policy for %s: %v", section, err)
	}
	var actions []string
	for _, statement := range policy.Statement {
		actions = append(actions, statement.Action...)
	}
	slices.Sort(actions)
	return actions
}
