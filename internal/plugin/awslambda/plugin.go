// Package awslambda deploys container images, and folders of files, as AWS
// Lambda functions.
//
//	deploy {
//	  use "aws-lambda" {
//	    region  = "us-east-1"
//	    memory  = 512
//	    timeout = 30
//	  }
//	}
//
// An app has one function in each workspace, and each deployment is a version
// of it, which nobody can change. A version gets no traffic until a release.
//
// Functions carry tags, versions do not: the deployment that a version belongs
// to stands in its description. So a version is ours if its function carries
// our tags and its description names one of our deployments. What a function has
// beside the attributes below, such as a network, layers or a queue for failed
// events, stays as it is.
package awslambda

import (
	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// Plugin runs images and files as functions.
var Plugin = component.Plugin{
	Name:     "aws-lambda",
	Summary:  "Deploy a container image or a folder of files as an AWS Lambda function.",
	Platform: component.NewPlatform(openPlatform).Only(artifact.Image{}, artifact.Files{}),
}
