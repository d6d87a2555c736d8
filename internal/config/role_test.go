package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/config"
)

// What a workspace block says replaces what its auth block says.
func TestRoles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "waypoint.hcl")
	content := `project = "shop"
variable "account" {
  type    = string
  default = "111122223333"
}
variable "key" {
  type      = string
  default   = "hunter2"
  sensitive = true
}
auth "aws" {
  role      = "arn:aws:iam::${var.account}:role/deploy"
  plan_role = "arn:aws:iam::${var.account}:role/look"
  workspace "production" {
    role = "arn:aws:iam::444455556666:role/deploy"
  }
}
app "web" {
  auth "azure" {
    client_id = var.key
  }
  auth "google" {
    workload_identity_provider = "projects/1/${app.name}"
    service_account            = "deploy@shop.iam.gserviceaccount.com"
  }
  build {
    use "null" {}
  }
  deploy {
    use "null" {}
  }
}
`
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	project, diags := config.Load(path)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for workspace, account := range map[string]string{"default": "111122223333", "production": "444455556666"} {
		scope, diags := project.Scope(config.Inputs{Workspace: workspace, TempDir: t.TempDir()})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		want := []config.Role{
			{Provider: "aws", Argument: "role", Name: "arn:aws:iam::" + account + ":role/deploy"},
			{Provider: "aws", Argument: "plan_role", Name: "arn:aws:iam::111122223333:role/look"},
			{App: "web", Provider: "azure", Argument: "client_id"},
			{App: "web", Provider: "google", Argument: "workload_identity_provider", Name: "projects/1/web"},
		}
		if diff := cmp.Diff(want, project.Roles(scope)); diff != "" {
			t.Errorf("roles in workspace %q (-want +got):\n%s", workspace, diff)
		}
	}
}
