// Package awsecs runs container images in Amazon ECS, on Fargate or on machines
// of a cluster.
//
//	deploy {
//	  use "aws-ecs" {
//	    region       = "eu-west-1"
//	    memory       = 1024
//	    service_port = 8080
//	    count        = 2
//
//	    alb {
//	      certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/0b0c"
//	    }
//	  }
//	}
//
// Each deployment is a service, a revision of the app's task definition and a
// target group of its own. The load balancer, its listener, the roles and the
// security groups are shared by an app's deployments in a workspace; the
// releaser moves the listener's weights from one target group to the next.
//
// With service = "NAME" the deployments of an app are revisions of the task
// definition of a service that somebody else made and keeps, Terraform for
// example: only the image and the variables of the config block change in it.
//
// It opens no session in a container: `exec` needs a protocol of AWS's own.
package awsecs

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin runs container images as services of Amazon ECS.
var Plugin = component.Plugin{
	Name:     "aws-ecs",
	Summary:  "Run a container image as a service of Amazon ECS.",
	Platform: component.NewPlatform(openPlatform),
	Releaser: component.NewReleaser(openReleaser),

	DefaultRelease: true,
}
