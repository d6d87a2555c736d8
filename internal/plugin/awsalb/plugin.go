// Package awsalb releases by the weights of an Application Load Balancer of
// AWS: it makes one for the app, or puts a rule into one that exists. It serves
// every deployment that has a target group.
//
//	release {
//	  use "aws-alb" {
//	    domain_name = "shop.example.com"
//	    zone_id     = "Z0123456789ABCDEFGHIJ"
//	    certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/0b1c2d3e"
//	  }
//	}
//
// The traffic of an app goes by one rule of the listener. An existing listener
// keeps its default action and the rules of others.
package awsalb

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin releases target groups.
var Plugin = component.Plugin{
	Name:     "aws-alb",
	Summary:  "Release by the weights of an Application Load Balancer.",
	Releaser: component.NewReleaser(openReleaser),
}
