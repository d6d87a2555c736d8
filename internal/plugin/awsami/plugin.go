// Package awsami takes a machine image of AWS (AMI) that exists already: of
// those that fit, the newest.
//
//	build {
//	  use "aws-ami" {
//	    region = "eu-west-1"
//	    owners = ["self"]
//	    name   = "web-*"
//	  }
//	}
package awsami

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin takes a machine image that exists.
var Plugin = component.Plugin{
	Name:    "aws-ami",
	Summary: "Take the newest machine image of AWS (AMI) that fits.",
	Builder: component.NewBuilder(openBuilder),
}
