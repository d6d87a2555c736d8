// Package awsecr pushes images to the registry of an AWS account (ECR). It signs
// in with the identity of the operation, makes the repository where it is
// missing, and never deletes one.
//
//	build {
//	  use "docker" {}
//
//	  registry {
//	    use "aws-ecr" {
//	      region     = "eu-west-1"
//	      repository = "shop/web"
//	      tag        = "v1"
//
//	      lifecycle {
//	        untagged_days = 14
//	      }
//	    }
//	  }
//	}
//
// An image that is in another registry, such as one of another account or
// region that is promoted, is copied by its digest, with what refers to it.
//
// The settings of a repository (tags, scanning, tag_mutability, lifecycle) are
// those of the block only where this plugin made the repository for the app: it
// is known by its tags. In any other repository images are pushed, and nothing
// else is changed.
package awsecr

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin pushes images to ECR.
var Plugin = component.Plugin{
	Name:     "aws-ecr",
	Summary:  "Push a container image to the registry of an AWS account (ECR), making the repository where it is missing.",
	Registry: component.NewRegistry(openRegistry),
}
