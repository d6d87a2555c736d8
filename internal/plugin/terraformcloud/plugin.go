// Package terraformcloud reads outputs of Terraform workspaces from Terraform
// Cloud (HCP Terraform) or Terraform Enterprise. It starts no runs, reads no
// variables and no state but its outputs, and changes nothing.
//
// A value is asked for where it is used. Without "output" it is a JSON object
// of all outputs:
//
//	config {
//	  env = {
//	    DATABASE_URL = dynamic("terraform-cloud", {
//	      organization = "acme"
//	      workspace    = "network-production"
//	      output       = "database_url"
//	    })
//	  }
//	}
//
// A string comes as it is, a number or a bool as its text, all else as JSON.
// What Terraform does not mark as sensitive is not kept secret here either.
//
// The token comes from the action's input tfc-token, from TFE_TOKEN, or from
// a variable as Terraform names it, such as TF_TOKEN_app_terraform_io; it needs
// the permission to read the workspace's state outputs. Settings of the source
// that are no secrets can stand in the file:
//
//	source "terraform-cloud" {
//	  base_url = "https://terraform.acme.example"
//	}
package terraformcloud

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin reads outputs of Terraform workspaces.
var Plugin = component.Plugin{
	Name:    "terraform-cloud",
	Summary: "Read outputs of workspaces in Terraform Cloud or Terraform Enterprise.",
	Sourcer: component.NewSourcer(openSourcer),
}
