// Package lambdafunctionurl releases versions of AWS Lambda functions at a URL
// of AWS's.
//
//	release {
//	  use "lambda-function-url" {
//	    auth_type = "NONE"
//
//	    cors {
//	      allow_origins = ["https://shop.example.com"]
//	    }
//	  }
//	}
//
// Each workspace has an alias of the app's function, and the URL is the
// alias's: releasing a version points the alias to it, wholly or by weight, and
// rolling back points it to an earlier one. The URL stays the same.
package lambdafunctionurl

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin releases versions of functions.
var Plugin = component.Plugin{
	Name:     "lambda-function-url",
	Summary:  "Release a version of an AWS Lambda function at a URL.",
	Releaser: component.NewReleaser(openReleaser),
}
