// Package awsssm reads values from the parameter store of AWS Systems Manager
// (SSM) for the configuration of apps. Ten parameters are read in one request.
// It signs in with the identity of the project's auth block, unless the source
// block has settings of its own.
//
//	config {
//	  env = {
//	    DATABASE_URL = dynamic("aws-ssm", {
//	      path = "/shop/production/database-url"
//	    })
//	  }
//	}
//
// A parameter is named by its name, by its ARN where it is shared by another
// account, and may end in :VERSION or :LABEL. What is stored as SecureString is
// decrypted and kept secret; what is not is shown in plans.
package awsssm

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin reads parameters.
var Plugin = component.Plugin{
	Name:    "aws-ssm",
	Summary: "Read configuration from the parameter store of AWS Systems Manager.",
	Sourcer: component.NewSourcer(openSourcer),
}
