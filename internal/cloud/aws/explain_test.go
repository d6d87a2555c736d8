package aws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
)

// answering refuses every request in the words of a JSON service.
func answering(status int, code, message string) awsfake.RoundTrip {
	return awsfake.InProcess(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("X-Amzn-Requestid", "r-42")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"__type": %q, "message": %q}`, code, message)
	}))
}

func TestExplain(t *testing.T) {
	t.Parallel()
	const user = "User: arn:aws:sts::123456789012:assumed-role/deploy/me"
	cases := map[string]struct {
		transport http.RoundTripper
		summary   string
		details   []string
	}{
		"denied": {
			answering(400, "AccessDeniedException", user+" is not authorized to perform: ecr:DescribeRepositories on resource: arn:aws:ecr:us-east-1:123456789012:repository/web because no identity-based policy allows the ecr:DescribeRepositories action"),
			"AWS does not permit ecr:DescribeRepositories",
			[]string{`"Action": "ecr:DescribeRepositories"`, `"Resource": "arn:aws:ecr:us-east-1:123456789012:repository/web"`, "because no identity-based policy"},
		},
		"denied without words": {
			answering(403, "AccessDenied", ""), "AWS does not permit ecr:DescribeRepositories", []string{`"Resource": "*"`},
		},
		"expired":           {answering(400, "ExpiredTokenException", "The security token included in the request is expired"), "The credentials for AWS have expired", []string{"by its OIDC token"}},
		"unknown keys":      {answering(400, "UnrecognizedClientException", "The security token included in the request is invalid."), "AWS does not accept the credentials", []string{"AWS_ACCESS_KEY_ID"}},
		"throttled":         {answering(400, "ThrottlingException", "Rate exceeded"), "AWS limits the rate of requests", []string{"Rate exceeded", "again later"}},
		"quota":             {answering(400, "LimitExceededException", "The repository limit of 10000 was reached"), "A quota of the AWS account is used up", []string{"limit of 10000", "Service Quotas"}},
		"something else":    {answering(400, "InvalidParameterException", "Invalid parameter at 'name'"), "AWS refused ECR DescribeRepositories", []string{"Invalid parameter at 'name'", "InvalidParameterException", "request r-42"}},
		"nobody listens":    {failing{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, "AWS cannot be reached", []string{"connection refused", "region's name"}},
		"no such host":      {failing{&net.DNSError{Err: "no such host", Name: "ecr.eu-wst-1.amazonaws.com"}}, "AWS cannot be reached", []string{"ecr.eu-wst-1"}},
		"an internal error": {answering(500, "ServerException", "internal"), "AWS refused ECR DescribeRepositories", []string{"internal", "ServerException"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				err := describe(t.Context(), t, c.transport)
				problem, _ := errors.AsType[*diag.Problem](err)
				if problem == nil || problem.Summary != c.summary {
					t.Fatalf("%v, want the problem %q", err, c.summary)
				}
				for _, want := range c.details {
					if !strings.Contains(problem.Detail, want) {
						t.Errorf("the detail lacks %q:\n%s", want, problem.Detail)
					}
				}
			})
		})
	}
}

// describe makes one call.
func describe(ctx context.Context, t *testing.T, transport http.RoundTripper) error {
	loaded, err := open(t, awsfake.Host(awsfake.Getenv, transport)).Config(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ecr.NewFromConfig(loaded).DescribeRepositories(ctx, nil)
	return err
}

// failing has no answer to any request.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// TestExplainKeepsTheError lets callers find what AWS said.
func TestExplainKeepsTheError(t *testing.T) {
	t.Parallel()
	err := describe(t.Context(), t, answering(400, "LimitExceededException", "full"))
	if refusal, ok := errors.AsType[smithy.APIError](err); !ok || refusal.ErrorCode() != "LimitExceededException" {
		t.Errorf("%v has no error of the SDK", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = describe(ctx, t, answering(400, "LimitExceededException", "full"))
	if _, ok := errors.AsType[*diag.Problem](err); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// TestThrottlingPasses goes on once AWS lets it.
func TestThrottlingPasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := describe(t.Context(), t, awsfake.RoundTrip(func(r *http.Request) (*http.Response, error) {
			if tries++; tries < 9 {
				return answering(400, "ThrottlingException", "Rate exceeded")(r)
			}
			return awsfake.InProcess(awsfake.API(func(string, json.RawMessage) (any, string) { return map[string]any{}, "" }))(r)
		}))
		if err != nil || tries != 9 {
			t.Errorf("%d tries, %v", tries, err)
		}
	})
}
