package aws

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/smithy-go"

	"github.com/deploy-action/deploy-action/internal/cloud/oidc"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// denied explains why a role was not given to the bearer of a token, or marks
// the error as worth another try: that the provider could not be asked or its
// key not be found is a matter of moments, and a token that was too old is made
// anew.
func denied(err error, role string, token secret.Text) error {
	refusal, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return err
	}
	switch code, message := refusal.ErrorCode(), refusal.ErrorMessage(); {
	case code == "IDPCommunicationError", code == "ExpiredTokenException",
		code == "InvalidIdentityToken" && strings.Contains(message, "verification key"):
		return retry.Transient(err)
	case code != "AccessDenied" && code != "InvalidIdentityToken" && code != "IDPRejectedClaim":
		return err
	}
	claims, unread := oidc.Read(token)
	if unread != nil {
		return errors.Join(err, unread)
	}
	return &refused{&diag.Problem{
		Summary: fmt.Sprintf("AWS does not give this job the role %s", role),
		Detail: fmt.Sprintf("AWS says: %s.\n\nThe job's token has %s.\n\n"+
			"If the role is the right one, and the account has an identity provider for %s, this trust policy of the role accepts the job:\n\n%s",
			strings.TrimRight(refusal.ErrorMessage(), ". "), claims, issuer(claims), trustPolicy(role, claims)),
	}, err}
}

// issuer returns who made a token, as AWS names identity providers.
func issuer(c oidc.Claims) string {
	return cmp.Or(strings.TrimPrefix(c.Issuer, "https://"), "token.actions.githubusercontent.com")
}

// trustPolicy returns the policy by which a role trusts the bearer of a token
// with these claims and of no other subject.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html
func trustPolicy(role string, c oidc.Claims) string {
	partition, account := "aws", "ACCOUNT"
	if parsed, err := arn.Parse(role); err == nil {
		partition, account = parsed.Partition, parsed.AccountID
	}
	provider := issuer(c)
	policy := map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect":    "Allow",
			"Principal": map[string]string{"Federated": fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", partition, account, provider)},
			"Action":    "sts:AssumeRoleWithWebIdentity",
			"Condition": map[string]any{"StringEquals": map[string]string{
				provider + ":aud": string(c.Audience), provider + ":sub": c.Subject,
			}},
		}},
	}
	text, err := json.MarshalIndent(policy, "", "  ")
	if err != nil {
		return err.Error() // a map of strings always has a text
	}
	return string(text)
}
