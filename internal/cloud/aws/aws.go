// Package aws signs in to AWS for the plugins of that cloud, marks what they
// make as ours, and says in plain words what AWS refused.
package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Session is one operation's access to one region.
type Session struct {
	host   component.Host
	auth   component.Auth
	region string
	own    sync.Map // in place of the host's SignIns

	mu     sync.Mutex
	loaded *sdk.Config
}

// Open returns access to a region, or to the one that input, environment or
// auth block name where it is "". It touches no network and no file. In a job
// the region must be known; on a terminal a profile may name it.
func Open(h component.Host, region string) (*Session, error) {
	s := &Session{host: h, auth: h.Auth["aws"]}
	s.region = cmp.Or(region, s.auth.Arguments["region"], h.Getenv("AWS_REGION"), h.Getenv("AWS_DEFAULT_REGION"))
	if s.region == "" && h.IDToken != nil {
		return nil, noRegion()
	}
	return s, nil
}

func noRegion() error {
	return &diag.Problem{
		Summary: "The region of AWS is not known",
		Detail: "Set `region` here, in the `auth \"aws\"` block, by the action's input `aws-region`, " +
			"or by the environment variable AWS_REGION.",
	}
}

// Config returns what the SDK's clients are made from. The first call reads the
// files of a terminal's profile; nothing signs in before a client's first call.
// What AWS refuses comes back as a [diag.Problem] around the SDK's error.
func (s *Session) Config(ctx context.Context) (sdk.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded != nil {
		return *s.loaded, nil
	}
	loaded, err := s.load(ctx)
	if err != nil {
		return sdk.Config{}, err
	}
	s.loaded = &loaded
	return loaded, nil
}

// Region returns the region that the clients work in.
func (s *Session) Region(ctx context.Context) (string, error) {
	loaded, err := s.Config(ctx)
	return loaded.Region, err
}

// attempts is how often a request is tried. The SDK's own three are few when a
// hundred jobs deploy at once: AWS limits some calls to one a second.
const attempts = 10

func (s *Session) load(ctx context.Context) (sdk.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}), // it writes to the process's own streams
		config.WithRegion(s.region), config.WithSharedConfigProfile(s.host.Getenv("AWS_PROFILE")),
	}
	if file := s.host.Getenv("AWS_SHARED_CREDENTIALS_FILE"); file != "" {
		options = append(options, config.WithSharedCredentialsFiles([]string{file}))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return sdk.Config{}, &diag.Problem{
			Summary: "The settings for AWS cannot be read",
			Detail:  fmt.Sprintf("The profile or the environment says: %v. Correct the files in ~/.aws, or AWS_PROFILE.", err),
			Err:     err,
		}
	}
	if loaded.Region == "" {
		return sdk.Config{}, noRegion()
	}
	loaded.HTTPClient = s.host.HTTP
	loaded.Retryer = func() sdk.Retryer {
		// The SDK's adaptive mode can wait for a rest of less than a nanosecond
		// again and again: for ever, where a test's clock stands still meanwhile.
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(quotas)}, o.Retryables...)
		})
	}
	loaded.ConfigSources = append([]any{endpoints{s.host.Getenv}}, loaded.ConfigSources...)
	if endpoint := s.host.Getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		loaded.BaseEndpoint = &endpoint
	}
	loaded.APIOptions = append(loaded.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("explain", s.explained), middleware.Before)
	})
	loaded.Credentials = s.credentials(loaded)
	return loaded, nil
}

// quotas keeps a quota that is used up from being waited for. The SDK takes its
// code for that of a limited rate.
func quotas(err error) sdk.Ternary {
	if refusal, ok := errors.AsType[smithy.APIError](err); ok && refusal.ErrorCode() == "LimitExceededException" {
		return sdk.FalseTernary
	}
	return sdk.UnknownTernary
}

// endpoints are the addresses of single services that the environment names,
// as AWS_ENDPOINT_URL_ECS.
type endpoints struct{ getenv func(string) string }

// GetServiceBaseEndpoint is asked by the SDK's clients.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	name := "AWS_ENDPOINT_URL_" + strings.ToUpper(strings.NewReplacer(" ", "_", "-", "_").Replace(service))
	value := e.getenv(name)
	return value, value != "", nil
}
