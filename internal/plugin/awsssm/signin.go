package awsssm

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
)

// as returns the host of somebody who signs in as the block says: what the block
// names stands in place of the operation's identity and environment.
func (c SourcerConfig) as(h component.Host) (component.Host, error) {
	environment := h.Getenv
	over := map[string]string{}
	if c.AccessKey != "" || c.Profile != "" || c.SharedCredentialsFile != "" {
		h.IDToken = nil // another identity than the job's
		over["AWS_ACCESS_KEY_ID"], over["AWS_SECRET_ACCESS_KEY"], over["AWS_SESSION_TOKEN"] = c.AccessKey, c.SecretKey.Reveal(), c.Token.Reveal()
		over["AWS_PROFILE"] = c.Profile
		if c.SharedCredentialsFile != "" && c.Profile == "" && c.AccessKey == "" {
			over["AWS_PROFILE"] = cmp.Or(environment("AWS_PROFILE"), "default")
		}
	}
	for name, value := range map[string]string{
		"AWS_SHARED_CREDENTIALS_FILE": c.SharedCredentialsFile, "AWS_ENDPOINT_URL_STS": c.STSEndpoint,
	} {
		if value != "" {
			over[name] = value
		}
	}
	if len(over) > 0 {
		h.SignIns = nil // it is nobody else's identity
	}
	h.Getenv = func(name string) string {
		if value, ok := over[name]; ok {
			return value
		}
		return environment(name)
	}
	if !c.Insecure {
		return h, nil
	}
	var err error
	h.HTTP, err = trusting(h.HTTP)
	return h, err
}

// trusting returns a client that accepts any certificate.
func trusting(client *http.Client) (*http.Client, error) {
	shared, ok := cmp.Or(client.Transport, http.DefaultTransport).(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("skipping the check of certificates: the HTTP client has a %T in place of a transport", client.Transport)
	}
	own := shared.Clone()
	if own.TLSClientConfig == nil {
		own.TLSClientConfig = &tls.Config{}
	}
	own.TLSClientConfig.InsecureSkipVerify = true
	other := *client
	other.Transport = own
	return &other, nil
}

// config returns what the clients of the source are made from.
func (c SourcerConfig) config(ctx context.Context, session *aws.Session) (sdk.Config, error) {
	loaded, err := session.Config(ctx)
	if err != nil {
		return loaded, err
	}
	if c.MaxRetries != nil {
		loaded.Retryer = func() sdk.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = *c.MaxRetries + 1 })
		}
	}
	if c.AssumeRoleARN != "" {
		loaded.Credentials = sdk.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(loaded), c.AssumeRoleARN, c.assume), func(o *sdk.CredentialsCacheOptions) {
			o.ExpiryWindow = time.Minute
		})
	}
	return loaded, nil
}

// assume says how the role is assumed.
func (c SourcerConfig) assume(o *stscreds.AssumeRoleOptions) {
	o.RoleSessionName = cmp.Or(c.AssumeRoleSessionName, "deploy-action")
	o.Duration = time.Duration(cmp.Or(c.AssumeRoleDurationSeconds, 3600)) * time.Second
	if c.AssumeRoleExternalID != "" {
		o.ExternalID = &c.AssumeRoleExternalID
	}
	if c.AssumeRolePolicy != "" {
		o.Policy = &c.AssumeRolePolicy
	}
}
