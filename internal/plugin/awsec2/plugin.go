// Package awsec2 runs machine images on EC2: each deployment is an Auto Scaling
// group with a launch template of its own, and a target group that a releaser
// such as aws-alb gives traffic.
//
//	build {
//	  use "aws-ami" {
//	    region = "eu-west-1"
//	    name   = "shop-*"
//	  }
//	}
//
//	deploy {
//	  use "aws-ec2" {
//	    region        = "eu-west-1"
//	    instance_type = "t3.small"
//	    service_port  = 8080
//
//	    count {
//	      desired = 2
//	      max     = 4
//	    }
//	  }
//	}
//
// The app's config block arrives in the file /etc/deploy-action/env, which has a
// line NAME="value" for each variable; a unit of systemd reads it with
// EnvironmentFile. The image needs cloud-init for that.
package awsec2

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin runs machine images.
var Plugin = component.Plugin{
	Name:     "aws-ec2",
	Summary:  "Run a machine image in an Auto Scaling group of EC2 instances.",
	Platform: component.NewPlatform(openPlatform),
}
