package github

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// parseKey reads the file that GitHub offers for download, or the same key as
// other tools write it. Its errors show nothing of the key.
func parseKey(text secret.Text) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil {
		return nil, errors.New("the private key of the GitHub App is not in PEM: give the whole file, with its first and last line and all line breaks")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if rsaKey, ok := key.(*rsa.PrivateKey); err == nil && ok {
		return rsaKey, nil
	}
	return nil, fmt.Errorf("the private key of the GitHub App is a %q, not an RSA key", block.Type)
}

// assertion returns what an App shows in place of a token. GitHub takes none
// that lives longer than ten minutes, and none from the future.
func assertion(id string, key *rsa.PrivateKey) (secret.Text, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	if err != nil {
		return "", fmt.Errorf("signing in: %w", err)
	}
	now := time.Now()
	claims := jwt.Claims{
		Issuer:   id,
		IssuedAt: jwt.NewNumericDate(now.Add(-time.Minute)), // our clock may be ahead
		Expiry:   jwt.NewNumericDate(now.Add(8 * time.Minute)),
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("signing in: %w", err)
	}
	return secret.Text(text), nil
}
