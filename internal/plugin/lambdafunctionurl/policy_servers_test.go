//go:build servers

package lambdafunctionurl

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
)

// permissions are the actions that AWS asks for, by method and what the path
// says after the function.
var permissions = map[string]string{
	"GET tags":       "lambda:ListTags",
	"GET aliases":    "lambda:GetAlias",
	"POST aliases":   "lambda:CreateAlias",
	"PUT aliases":    "lambda:UpdateAlias",
	"DELETE aliases": "lambda:DeleteAlias",
	"GET url":        "lambda:GetFunctionUrlConfig",
	"POST url":       "lambda:CreateFunctionUrlConfig",
	"PUT url":        "lambda:UpdateFunctionUrlConfig",
	"DELETE url":     "lambda:DeleteFunctionUrlConfig",
	"GET policy":     "lambda:GetPolicy",
	"POST policy":    "lambda:AddPermission",
	"DELETE policy":  "lambda:RemovePermission",
}

// needsItsPolicy lives a whole life, and compares what it asks with what
// docs/aws.md allows: no action less, and none more.
func needsItsPolicy(t *testing.T, a *account) {
	app := component.App{Project: "shop", Name: "web", Workspace: "default"}
	var made Release
	for _, c := range []struct {
		id  string
		cfg Config
	}{{"web-1", Config{}}, {"web-2", Config{AuthType: "AWS_IAM"}}} {
		target := component.Target[Deployment]{App: app, ID: c.id, Deployment: a.deploy(app, c.id).(version)}
		made = a.release(c.cfg, target)
	}
	a.must((&releaser{host: a.host}).Destroy(t.Context(), app, made))

	asked := map[string]bool{}
	for _, call := range a.calls() {
		kind := "tags"
		if _, after, found := strings.Cut(call.path, "/functions/web/"); found {
			kind, _, _ = strings.Cut(after, "/")
		}
		asked[permissions[call.method+" "+kind]] = true
	}
	page, err := os.ReadFile("../../../docs/aws.md")
	a.must(err)
	_, text, _ := strings.Cut("\n"+string(page), "\n### lambda-function-url\n")
	_, text, _ = strings.Cut(text, "```json\n")
	text, _, _ = strings.Cut(text, "```")
	var policy struct{ Statement []struct{ Action []string } }
	a.must(json.Unmarshal([]byte(text), &policy))
	want := slices.Sorted(slices.Values(policy.Statement[0].Action))
	if got := slices.Sorted(maps.Keys(asked)); !slices.Equal(got, want) {
		t.Errorf("a whole life needs %q, and docs/aws.md allows %q", got, want)
	}
}
