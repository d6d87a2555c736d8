package vault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

const (
	// callerIdentity is the request whose answer says who has signed it. Vault
	// sends it on to AWS.
	callerIdentity = "Action=GetCallerIdentity&Version=2011-06-15"

	// instanceMetadata is where an instance of AWS learns about itself.
	instanceMetadata = "http://169.254.169.254/latest"
)

// awsLogin signs in as an identity of AWS.
func awsLogin(h component.Host, s settings) (*login, error) {
	if s.AWSRole == "" {
		return nil, missing("aws", "aws_role", "It is a role of the auth method in Vault.")
	}
	l := &login{method: "aws", mount: mount(s.AuthMethodMountPath, "aws"), role: s.AWSRole, attr: "aws_role"}
	switch s.AWSType {
	case "ec2":
		l.prove = func(ctx context.Context) (proof, error) {
			document, err := instanceIdentity(ctx, h.HTTP)
			return proof{fields: map[string]any{"role": s.AWSRole, "pkcs7": document}}, err
		}
	case "iam", "":
		keys, err := awsKeys(h, s)
		if err != nil {
			return nil, err
		}
		l.prove = func(ctx context.Context) (proof, error) { return signedIdentity(ctx, s, keys) }
	default:
		return nil, &diag.Problem{
			Summary: "Unknown aws_type",
			Detail: fmt.Sprintf("The source \"vault\" has aws_type = %q. It knows \"iam\" and \"ec2\".%s",
				s.AWSType, diag.Suggest(s.AWSType, []string{"iam", "ec2"})),
			Attr: "aws_type",
		}
	}
	return l, nil
}

// keyPair is an access key of AWS.
type keyPair struct {
	id            string
	secret, token secret.Text
}

// awsKeys returns the keys to sign with. Those of the block go together, so the
// environment is asked only where it has none.
func awsKeys(h component.Host, s settings) (keyPair, error) {
	keys := keyPair{s.AWSAccessKey, s.AWSSecretKey, ""}
	if keys.id == "" && keys.secret == "" {
		keys = keyPair{
			h.Getenv("AWS_ACCESS_KEY_ID"),
			secret.Text(h.Getenv("AWS_SECRET_ACCESS_KEY")), secret.Text(h.Getenv("AWS_SESSION_TOKEN")),
		}
	}
	if keys.id == "" || keys.secret == "" {
		return keys, missing("aws", "aws_access_key",
			"Set it together with aws_secret_key, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, "+
				"as the action aws-actions/configure-aws-credentials does. On an instance, aws_type = \"ec2\" needs no key.")
	}
	return keys, nil
}

// signedIdentity signs the question who we are, for Vault to ask it of AWS.
func signedIdentity(ctx context.Context, s settings, keys keyPair) (proof, error) {
	region := cmp.Or(s.AWSRegion, "us-east-1")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, stsAddress(region), strings.NewReader(callerIdentity))
	if err != nil {
		return proof{}, fmt.Errorf("signing in to Vault with the region %q: %w", region, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if s.AWSHeaderValue != "" {
		req.Header.Set("X-Vault-AWS-IAM-Server-ID", s.AWSHeaderValue)
	}
	hash := sha256.Sum256([]byte(callerIdentity))
	err = v4.NewSigner().SignHTTP(ctx, aws.Credentials{
		AccessKeyID: keys.id, SecretAccessKey: keys.secret.Reveal(), SessionToken: keys.token.Reveal(),
	}, req, hex.EncodeToString(hash[:]), "sts", region, time.Now())
	if err != nil {
		return proof{}, fmt.Errorf("signing a request for AWS: %w", err)
	}
	headers, err := json.Marshal(req.Header)
	if err != nil {
		return proof{}, fmt.Errorf("encoding a request for AWS: %w", err)
	}
	return proof{
		fields: map[string]any{
			"role":                    s.AWSRole,
			"iam_http_request_method": req.Method,
			"iam_request_url":         base64.StdEncoding.EncodeToString([]byte(req.URL.String())),
			"iam_request_body":        base64.StdEncoding.EncodeToString([]byte(callerIdentity)),
			"iam_request_headers":     base64.StdEncoding.EncodeToString(headers),
		},
		claims: fmt.Sprintf("The request to STS is signed for the region %q.", region),
	}, nil
}

// stsAddress returns the address of a region's STS. The first region's is the
// global one, which Vault asks unless it is told otherwise.
func stsAddress(region string) string {
	switch {
	case region == "us-east-1":
		return "https://sts.amazonaws.com/"
	case strings.HasPrefix(region, "cn-"):
		return "https://sts." + region + ".amazonaws.com.cn/"
	}
	return "https://sts." + region + ".amazonaws.com/"
}

// instanceIdentity returns the document by which AWS vouches for the instance
// that this is.
func instanceIdentity(ctx context.Context, client *http.Client) (string, error) {
	session, err := fetch(ctx, client, http.MethodPut, instanceMetadata+"/api/token",
		http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"60"}})
	if err == nil {
		var document string
		document, err = fetch(ctx, client, http.MethodGet, instanceMetadata+"/dynamic/instance-identity/pkcs7",
			http.Header{"X-Aws-Ec2-Metadata-Token": {session}})
		if err == nil {
			return strings.ReplaceAll(document, "\n", ""), nil
		}
	}
	return "", &diag.Problem{
		Summary: "No identity of an AWS instance",
		Detail: "aws_type = \"ec2\" signs in to Vault as the instance that this runs on, whose metadata service did not say which that is. " +
			"In a container the service answers only where the instance's metadata option HttpPutResponseHopLimit is 2 or more. " +
			"Elsewhere than on AWS use aws_type = \"iam\".",
		Attr: "aws_type",
		Err:  err,
	}
}
