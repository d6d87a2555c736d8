package vault

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// googleMetadata is where an instance of Google Cloud learns about itself.
const googleMetadata = "http://metadata.google.internal/computeMetadata/v1"

// gcpLogin signs in as an instance or as a service account of Google Cloud.
func gcpLogin(h component.Host, s settings) (*login, error) {
	if s.GCPRole == "" {
		return nil, missing("gcp", "gcp_role", "It is a role of the auth method in Vault.")
	}
	l := &login{method: "gcp", mount: mount(s.AuthMethodMountPath, "gcp"), role: s.GCPRole, attr: "gcp_role"}
	var vouch func(context.Context) (secret.Text, error)
	switch s.GCPType {
	case "gce":
		vouch = func(ctx context.Context) (secret.Text, error) { return instanceToken(ctx, h.HTTP, s) }
	case "iam", "":
		vouch = func(context.Context) (secret.Text, error) { return accountToken(h, s) }
	default:
		return nil, &diag.Problem{
			Summary: "Unknown gcp_type",
			Detail: fmt.Sprintf("The source \"vault\" has gcp_type = %q. It knows \"gce\" and \"iam\".%s",
				s.GCPType, diag.Suggest(s.GCPType, []string{"gce", "iam"})),
			Attr: "gcp_type",
		}
	}
	l.prove = func(ctx context.Context) (proof, error) {
		token, err := vouch(ctx)
		if err != nil {
			return proof{}, err
		}
		return proof{map[string]any{"role": s.GCPRole, "jwt": token.Reveal()}, claims(token, "sub", "aud", "email")}, nil
	}
	return l, nil
}

// instanceToken returns Google's word for the instance that this is.
func instanceToken(ctx context.Context, client *http.Client, s settings) (secret.Text, error) {
	address := googleMetadata + "/instance/service-accounts/" + url.PathEscape(cmp.Or(s.GCPServiceAccount, "default")) +
		"/identity?format=full&audience=" + url.QueryEscape("https://vault/"+s.GCPRole)
	token, err := fetch(ctx, client, http.MethodGet, address, http.Header{"Metadata-Flavor": {"Google"}})
	if err != nil {
		return "", &diag.Problem{
			Summary: "No identity of a Google Cloud instance",
			Detail: "gcp_type = \"gce\" signs in to Vault as the instance that this runs on, whose metadata service did not say which that is. " +
				"Elsewhere than on Google Cloud use gcp_type = \"iam\" with the key of a service account, or auth \"github-oidc\".",
			Attr: "gcp_type",
			Err:  err,
		}
	}
	return secret.Text(token), nil
}

// accountKey is the part of a service account's key file that is needed here.
type accountKey struct {
	Email string `json:"client_email"`
	ID    string `json:"private_key_id"`
	Key   string `json:"private_key"`
}

// accountToken signs, with the key of a service account, that we are it.
func accountToken(h component.Host, s settings) (secret.Text, error) {
	file, err := accountKeyFile(h, s)
	if err != nil {
		return "", err
	}
	var account accountKey
	if err := json.Unmarshal([]byte(file.Reveal()), &account); err != nil {
		return "", unusableKey(errors.New("it is no JSON")) // an error of the decoder could show a part of it
	}
	block, _ := pem.Decode([]byte(account.Key))
	if block == nil {
		return "", unusableKey(errors.New("its private_key is no PEM"))
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", unusableKey(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: account.ID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", unusableKey(err)
	}
	claimed, err := json.Marshal(map[string]any{
		"sub": cmp.Or(s.GCPServiceAccount, account.Email),
		"aud": "vault/" + s.GCPRole,
		"exp": time.Now().Add(time.Duration(cmp.Or(s.GCPJWTExp, 15)) * time.Minute).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("encoding a proof for Vault: %w", err)
	}
	signed, err := signer.Sign(claimed)
	if err != nil {
		return "", unusableKey(err)
	}
	token, err := signed.CompactSerialize()
	return secret.Text(token), err
}

// accountKeyFile returns the content of the service account's key file.
func accountKeyFile(h component.Host, s settings) (secret.Text, error) {
	if s.GCPCredentials != "" {
		return s.GCPCredentials, nil
	}
	path := h.Getenv("GOOGLE_APPLICATION_CREDENTIALS")
	if path == "" {
		return "", missing("gcp", "gcp_credentials",
			"It is the content of a service account's JSON key; or set GOOGLE_APPLICATION_CREDENTIALS to its file. "+
				"An account without a key cannot sign here: use gcp_type = \"gce\" on an instance, or auth \"github-oidc\" in a job.")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", unusableKey(err)
	}
	return secret.Text(data), nil
}

// unusableKey is the problem of a key that cannot sign.
func unusableKey(err error) error {
	return &diag.Problem{
		Summary: "Unusable key of a service account",
		Detail: "Signing in to Vault with gcp_type = \"iam\" needs the JSON key of a service account, in gcp_credentials or in the file that " +
			"GOOGLE_APPLICATION_CREDENTIALS names. It must be of the type \"service_account\": a federated identity has no key to sign with.",
		Attr: "gcp_credentials",
		Err:  err,
	}
}
