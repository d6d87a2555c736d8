// Package awsecrpull takes an image that is in the registry of an AWS account
// (ECR) already, such as one that another workflow has made. It signs in with
// the identity of the operation, and notes the digest, so that a tag that moves
// later changes nothing for what was deployed.
//
//	build {
//	  use "aws-ecr-pull" {
//	    region     = "eu-west-1"
//	    repository = "shop/web"
//	    tag        = "v1"
//	  }
//	}
package awsecrpull

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin takes an image that is in ECR already.
var Plugin = component.Plugin{
	Name:    "aws-ecr-pull",
	Summary: "Take a container image from the registry of an AWS account (ECR), by what its tag names now.",
	Builder: component.NewBuilder(openBuilder),
}
