package aws

import (
	"errors"

	"github.com/aws/smithy-go"
)

// Code returns the code of what a service refused, such as
// "InvalidGroup.NotFound", for the services whose errors have no types; "" for
// any other error.
func Code(err error) string {
	if refusal, ok := errors.AsType[smithy.APIError](err); ok {
		return refusal.ErrorCode()
	}
	return ""
}
