package awsssm

import (
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// SourcerConfig is the inside of the source block. Without any of it the source
// signs in as the operation does, which is what a job with an auth block needs.
type SourcerConfig struct {
	// Region of the parameters. By default that of the auth block, of the
	// action's input aws-region, or of AWS_REGION or AWS_DEFAULT_REGION.
	Region string `hcl:"region,optional"`

	// Access key to sign in with, in place of the operation's identity.
	AccessKey string `hcl:"access_key,optional"`

	// The secret that goes with access_key.
	SecretKey secret.Text `hcl:"secret_key,optional"`

	// The session token that goes with access_key, if it is a temporary one.
	Token secret.Text `hcl:"token,optional"`

	// Profile of the files in ~/.aws to sign in with, in place of the operation's
	// identity.
	Profile string `hcl:"profile,optional"`

	// File with the keys of profiles, in place of ~/.aws/credentials.
	SharedCredentialsFile string `hcl:"shared_credentials_file,optional"`

	// How often a request is tried again that AWS throttles or that gets no
	// answer. By default 9 times, with growing pauses.
	MaxRetries *int `hcl:"max_retries,optional"`

	// ARN of a role to assume, with whatever identity the rest of the block leads
	// to.
	AssumeRoleARN string `hcl:"assume_role_arn,optional"`

	// How long the keys of the assumed role last, from 900 to 43200 seconds. They
	// renew themselves.
	AssumeRoleDurationSeconds int `hcl:"assume_role_duration_seconds,optional"`

	// The external ID that the role asks for.
	AssumeRoleExternalID string `hcl:"assume_role_external_id,optional"`

	// A policy, as JSON, that limits what the assumed role may do here.
	AssumeRolePolicy string `hcl:"assume_role_policy,optional"`

	// Name of the session, which CloudTrail shows.
	AssumeRoleSessionName string `hcl:"assume_role_session_name,optional"`

	// Address of the service that gives out keys (STS), where it is another one.
	STSEndpoint string `hcl:"sts_endpoint,optional"`

	// Accepts any certificate. Never needed for AWS itself.
	Insecure bool `hcl:"insecure,optional"`

	// Accepted for compatibility, without effect: IAM is not asked for anything.
	IAMEndpoint string `hcl:"iam_endpoint,optional"`

	// Accepted for compatibility, without effect: keys are tried by using them.
	SkipCredentialsValidation bool `hcl:"skip_credentials_validation,optional"`

	// Accepted for compatibility, without effect: a machine is asked for its
	// identity only where there is no other one.
	SkipMetadataAPICheck bool `hcl:"skip_metadata_api_check,optional"`

	// Accepted for compatibility, without effect: the account is not asked for.
	SkipRequestingAccountID bool `hcl:"skip_requesting_account_id,optional"`
}

// check reports what a type cannot say.
func (c SourcerConfig) check() error {
	return errors.Join(c.checkKeys(), c.checkRole(), c.checkRetries())
}

func (c SourcerConfig) checkKeys() error {
	if (c.AccessKey == "") != (c.SecretKey == "") {
		missing, has := "secret_key", "access_key"
		if c.AccessKey == "" {
			missing, has = has, missing
		}
		return &diag.Problem{
			Summary: "Half a pair of keys",
			Detail:  fmt.Sprintf("The source has %s and no %s. Set both, or, for a role in an auth \"aws\" block, neither.", has, missing),
			Attr:    missing,
		}
	}
	if c.AccessKey != "" && c.Profile != "" {
		return &diag.Problem{
			Summary: "Two identities",
			Detail:  "The source has both access_key and profile. Remove one of them.",
			Attr:    "profile",
		}
	}
	return nil
}

func (c SourcerConfig) checkRole() error {
	for attr, set := range map[string]bool{
		"assume_role_duration_seconds": c.AssumeRoleDurationSeconds != 0, "assume_role_external_id": c.AssumeRoleExternalID != "",
		"assume_role_policy": c.AssumeRolePolicy != "", "assume_role_session_name": c.AssumeRoleSessionName != "",
	} {
		if set && c.AssumeRoleARN == "" {
			return &diag.Problem{
				Summary: "No role to assume",
				Detail:  fmt.Sprintf("%s is about the role that assume_role_arn names, which is not set.", attr),
				Attr:    attr,
			}
		}
	}
	if d := c.AssumeRoleDurationSeconds; d != 0 && (d < 900 || d > 43200) {
		return &diag.Problem{
			Summary: "Invalid duration",
			Detail:  fmt.Sprintf("assume_role_duration_seconds is %d. AWS takes 900 to 43200 seconds.", d),
			Attr:    "assume_role_duration_seconds",
		}
	}
	return nil
}

func (c SourcerConfig) checkRetries() error {
	if c.MaxRetries == nil || *c.MaxRetries >= 0 {
		return nil
	}
	return &diag.Problem{
		Summary: "Invalid max_retries",
		Detail:  fmt.Sprintf("max_retries is %d. Write 0 or more.", *c.MaxRetries),
		Attr:    "max_retries",
	}
}
