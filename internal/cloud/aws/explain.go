package aws

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// refused is an error of the SDK with what to tell people of it. The SDK's own
// text, which says the same in the words of a protocol, is not repeated.
type refused struct {
	problem *diag.Problem
	cause   error
}

// Error returns what AWS said, in one line.
func (r *refused) Error() string {
	said, _, _ := strings.Cut(r.problem.Detail, "\n")
	return r.problem.Summary + ": " + said
}

// Unwrap returns the problem and the SDK's error.
func (r *refused) Unwrap() []error { return []error{r.problem, r.cause} }

// explained is a middleware around a whole call, with all its tries.
func (s *Session) explained(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleInitialize(ctx, in)
	if err != nil {
		err = s.explain(err, middleware.GetServiceID(ctx), middleware.GetOperationName(ctx))
	}
	return out, metadata, err
}

// The codes of AWS that mean the same for all services. Services differ in how
// they word it.
var (
	deniedCodes    = []string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "AuthorizationErrorException", "UnauthorizedException"}
	expiredCodes   = []string{"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
	unknownCodes   = []string{"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"}
	throttledCodes = []string{"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled", "SlowDown"}
	quotaCode      = regexp.MustCompile(`(?i)quota|LimitExceeded|TooMany(TargetGroups|Listeners|LoadBalancers|Rules|Targets|Registrations)`)
	deniedAction   = regexp.MustCompile(`(?:(\S+) )?is not authorized to perform:? (\S+?)(?: on resource:? (\S+))?(?: |$|\.$)`)
)

// explain makes a [diag.Problem] of an error of a call. The end of a context
// stays, and so does what signing in met, without what the SDK says around it.
func (s *Session) explain(err error, service, operation string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if problem, ok := errors.AsType[*diag.Problem](err); ok {
		return &refused{problem, err}
	}
	call := service + " " + operation
	refusal, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return s.unanswered(err, call)
	}
	code, message := refusal.ErrorCode(), strings.TrimRight(refusal.ErrorMessage(), ". ")
	if message == "" {
		message = code
	}
	problem := &diag.Problem{}
	switch {
	case slices.Contains(deniedCodes, code):
		problem.Summary, problem.Detail = s.forbidden(message, service, operation)
	case slices.Contains(expiredCodes, code):
		problem.Summary = "The credentials for AWS have expired"
		problem.Detail = fmt.Sprintf("%s was refused: %s. Credentials in the environment do not renew themselves; "+
			"with a role in the `auth \"aws\"` block the job signs in by its OIDC token, which does.", call, message)
	case slices.Contains(unknownCodes, code):
		problem.Summary = "AWS does not accept the credentials"
		problem.Detail = fmt.Sprintf("%s was refused: %s. Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and the clock of this machine.", call, message)
	case slices.Contains(throttledCodes, code):
		problem.Summary = "AWS limits the rate of requests"
		problem.Detail = fmt.Sprintf("%s was refused again and again: %s. Other work in the account uses up the limit. Run the same command again later.", call, message)
	case quotaCode.MatchString(code):
		problem.Summary = "A quota of the AWS account is used up"
		problem.Detail = fmt.Sprintf("%s was refused: %s. Remove what is not needed, or ask for a higher quota in the console's Service Quotas.", call, message)
	default:
		problem.Summary = "AWS refused " + call
		problem.Detail = fmt.Sprintf("%s (%s%s)", message, code, request(err))
	}
	return &refused{problem, err}
}

// request names a request, for AWS's support.
func request(err error) string {
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok && response.RequestID != "" {
		return ", request " + response.RequestID
	}
	return ""
}

// forbidden says which permission is missing, and how to give it.
func (s *Session) forbidden(message, service, operation string) (summary, detail string) {
	action, resource, who := strings.ToLower(strings.ReplaceAll(service, " ", ""))+":"+operation, "*", s.Role()
	if parts := deniedAction.FindStringSubmatch(message); parts != nil {
		action = parts[2]
		if parts[3] != "" {
			resource = strings.TrimRight(parts[3], ".")
		}
	}
	if who == "" {
		who = "the identity that this runs as"
	}
	return "AWS does not permit " + action, fmt.Sprintf(
		"AWS says: %s.\n\nA policy of %s needs this statement:\n\n{ \"Effect\": \"Allow\", \"Action\": %q, \"Resource\": %q }", message, who, action, resource)
}

// unanswered explains a call that got no answer from a service.
func (s *Session) unanswered(err error, call string) error {
	if _, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return &refused{&diag.Problem{
			Summary: "AWS cannot be reached",
			Detail:  fmt.Sprintf("%s got no answer: %v. Check the region's name, and that this machine reaches the internet.", call, errors.Unwrap(err)),
		}, err}
	}
	if strings.Contains(err.Error(), "get credentials") {
		return &refused{&diag.Problem{
			Summary: "There are no credentials for AWS",
			Detail: "Name a role in an `auth \"aws\"` block, or by the action's input `aws-role-arn`, and give the job `id-token: write`. " +
				"Elsewhere set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
		}, err}
	}
	return err
}
