package aws

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Identity is who AWS takes us for.
type Identity struct{ Account, ARN string }

// SignIn signs in and asks AWS who we are. It changes nothing.
func (s *Session) SignIn(ctx context.Context) (Identity, error) {
	loaded, err := s.Config(ctx)
	if err != nil {
		return Identity{}, err
	}
	answer, err := sts.NewFromConfig(loaded).GetCallerIdentity(ctx, nil)
	if err != nil {
		return Identity{}, err
	}
	return Identity{sdk.ToString(answer.Account), sdk.ToString(answer.Arn)}, nil
}

// Environ returns the variables by which a child process signs in as this
// session does, for as long as the credentials last.
func (s *Session) Environ(ctx context.Context) ([]string, error) {
	loaded, err := s.Config(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := loaded.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	environ := []string{
		"AWS_REGION=" + loaded.Region, "AWS_DEFAULT_REGION=" + loaded.Region,
		"AWS_ACCESS_KEY_ID=" + keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + keys.SecretAccessKey,
	}
	if keys.SessionToken != "" {
		environ = append(environ, "AWS_SESSION_TOKEN="+keys.SessionToken)
	}
	return environ, nil
}

// Role returns the role that the session assumes with the job's OIDC token; ""
// where it signs in as the environment says.
func (s *Session) Role() string {
	if s.host.IDToken == nil {
		return ""
	}
	if s.auth.Role == "" && s.host.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		return "" // the SDK's own way, with the token of a pod
	}
	return cmp.Or(s.auth.Role, s.host.Getenv("AWS_ROLE_ARN"))
}

// identity names one sign-in, which the operations of a run share.
type identity struct{ role, through, accounts, region, environment string }

// identity returns as whom the session signs in.
func (s *Session) identity(region string) identity {
	environment := ""
	if s.Role() == "" {
		environment = s.host.Getenv("AWS_PROFILE") + " " + s.host.Getenv("AWS_ACCESS_KEY_ID")
	}
	return identity{s.Role(), s.auth.Arguments["through"], strings.Join(s.auth.Accounts, ","), region, environment}
}

// credentials returns the keys of the session's identity. They are fetched when
// the first request is signed, kept for the run, and fetched anew before they
// end.
func (s *Session) credentials(base sdk.Config) sdk.CredentialsProvider {
	shared := cmp.Or(s.host.SignIns, &s.own)
	role, through := s.Role(), s.auth.Arguments["through"]
	key := s.identity(base.Region)
	if known, ok := shared.Load(key); ok {
		return known.(sdk.CredentialsProvider)
	}
	source := base.Credentials
	switch id, secretKey := s.host.Getenv("AWS_ACCESS_KEY_ID"), s.host.Getenv("AWS_SECRET_ACCESS_KEY"); {
	case role != "" && through != "":
		source = &chained{s, base, role, s.cached(&byToken{s, base, through})}
	case role != "":
		source = &byToken{s, base, role}
	case id != "":
		source = credentials.NewStaticCredentialsProvider(id, secretKey, s.host.Getenv("AWS_SESSION_TOKEN"))
	}
	known, _ := shared.LoadOrStore(key, s.cached(&asserted{s, base, source}))
	return known.(sdk.CredentialsProvider)
}

// cached keeps keys until five minutes before they end, so that no request is
// signed with keys that end while it is tried again.
func (s *Session) cached(source sdk.CredentialsProvider) sdk.CredentialsProvider {
	return sdk.NewCredentialsCache(source, func(o *sdk.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
}

// byToken assumes a role with a new OIDC token of the job each time.
type byToken struct {
	session *Session
	base    sdk.Config
	role    string
}

// Retrieve implements [sdk.CredentialsProvider].
func (b *byToken) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	var keys sdk.Credentials
	title := "Signing in to AWS as " + b.role
	err := b.session.host.Progress.Step(ctx, title, func(ctx context.Context, step component.Step) error {
		if b.session.host.Getenv("AWS_ACCESS_KEY_ID") != "" {
			fmt.Fprintln(step.Output(), "The job's OIDC token is used; the keys in the environment are not used.")
		}
		return retry.Do(ctx, func(ctx context.Context) (err error) {
			keys, err = b.assume(ctx)
			return err
		})
	})
	return keys, err
}

// assume is one try, with a token of its own: one that waited may have ended.
func (b *byToken) assume(ctx context.Context) (sdk.Credentials, error) {
	token, err := b.session.host.IDToken(ctx, b.session.audience())
	if err != nil {
		return sdk.Credentials{}, err
	}
	anonymous := b.base.Copy()
	anonymous.Credentials = sdk.AnonymousCredentials{}
	answer, err := sts.NewFromConfig(anonymous).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: &b.role, RoleSessionName: new(b.session.name()), WebIdentityToken: new(token.Reveal()),
	})
	if err != nil {
		return sdk.Credentials{}, denied(err, b.role, token)
	}
	return b.session.keys(answer.Credentials, answer.AssumedRoleUser), nil
}

// audience is whom the token is addressed to.
func (s *Session) audience() string {
	return cmp.Or(s.auth.Arguments["audience"], "sts.amazonaws.com")
}

// name is what CloudTrail shows of who worked.
func (s *Session) name() string {
	if run := s.host.Getenv("GITHUB_RUN_ID"); run != "" {
		return "deploy-action-" + run
	}
	return "deploy-action"
}

// keys takes the keys of a role out of an answer, and keeps them from the log.
func (s *Session) keys(c *types.Credentials, user *types.AssumedRoleUser) sdk.Credentials {
	for _, text := range []*string{c.SecretAccessKey, c.SessionToken} {
		s.host.Mask(secret.Text(sdk.ToString(text)))
	}
	keys := sdk.Credentials{
		AccessKeyID: sdk.ToString(c.AccessKeyId), SecretAccessKey: sdk.ToString(c.SecretAccessKey),
		SessionToken: sdk.ToString(c.SessionToken), CanExpire: true, Expires: sdk.ToTime(c.Expiration),
	}
	if user != nil {
		if who, err := arn.Parse(sdk.ToString(user.Arn)); err == nil {
			keys.AccountID = who.AccountID
		}
	}
	return keys
}

// chained assumes a role with the keys of another one.
type chained struct {
	session *Session
	base    sdk.Config
	role    string
	first   sdk.CredentialsProvider
}

// Retrieve implements [sdk.CredentialsProvider].
func (c *chained) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	base := c.base.Copy()
	base.Credentials = c.first
	answer, err := sts.NewFromConfig(base).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &c.role, RoleSessionName: new(c.session.name())})
	if err != nil {
		return sdk.Credentials{}, err
	}
	return c.session.keys(answer.Credentials, answer.AssumedRoleUser), nil
}

// asserted refuses keys of an account that is not to be touched. So nothing can
// be read or changed there, whichever plugin would do it.
type asserted struct {
	session *Session
	base    sdk.Config
	source  sdk.CredentialsProvider
}

// Retrieve implements [sdk.CredentialsProvider].
func (a *asserted) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	keys, err := a.source.Retrieve(ctx)
	allowed := a.session.auth.Accounts
	if err != nil || len(allowed) == 0 {
		return keys, err
	}
	if keys.AccountID == "" {
		base := a.base.Copy()
		base.Credentials = credentials.StaticCredentialsProvider{Value: keys}
		answer, err := sts.NewFromConfig(base).GetCallerIdentity(ctx, nil)
		if err != nil {
			return sdk.Credentials{}, err
		}
		keys.AccountID = sdk.ToString(answer.Account)
	}
	if !slices.Contains(allowed, keys.AccountID) {
		return sdk.Credentials{}, &diag.Problem{
			Summary: fmt.Sprintf("This is AWS account %s, which must not be touched", keys.AccountID),
			Detail: fmt.Sprintf("The `auth \"aws\"` block has accounts = %q, and signing in led to %s. Nothing was read or changed. "+
				"Correct the role or the keys, or add the account to the list.", allowed, keys.AccountID),
		}
	}
	return keys, nil
}
