// Package packer builds machine images with HashiCorp Packer, and reads which
// image a channel of HCP Packer names.
//
// The builder runs `packer build` on the app's template and hands on the image
// that it made. The command packer must be on the PATH: on a terminal, in a
// job's own container, or with the setup action.
//
//	build {
//	  use "packer" {
//	    template = "image.pkr.hcl"
//	    vars     = { version = "1.4" }
//	    identity = true
//	  }
//	}
//
//	deploy {
//	  use "aws-ec2" {
//	    region        = "eu-west-1"
//	    instance_type = "t3.small"
//	    service_port  = 8080
//	  }
//	}
//
// The source answers with the ID of an image:
//
//	variable "image" {
//	  type    = string
//	  default = dynamic("packer", {
//	    bucket  = "web"
//	    channel = "production"
//	    cloud   = "aws"
//	    region  = "eu-west-1"
//	  })
//	}
package packer

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin builds machine images, and finds those in a channel.
var Plugin = component.Plugin{
	Name:          "packer",
	Summary:       "Build a machine image with Packer, or find the one that a channel of HCP Packer names.",
	Builder:       component.NewBuilder(openBuilder),
	Sourcer:       component.NewSourcer(openSourcer),
	BuildsOutside: true,
}
