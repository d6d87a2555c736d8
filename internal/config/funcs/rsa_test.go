package funcs_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// Both forms of a key are read.
func TestRSADecrypt(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := rsa.EncryptPKCS1v15(rand.Reader, &key.PublicKey, []byte("hello")) //lint:ignore SA1019 it is what rsadecrypt undoes
	if err != nil {
		t.Fatal(err)
	}
	modern, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for kind, der := range map[string][]byte{
		"RSA PRIVATE KEY": x509.MarshalPKCS1PrivateKey(key),
		"PRIVATE KEY":     modern,
	} {
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		got, err := funcs.Standard()["rsadecrypt"].Call([]cty.Value{
			cty.StringVal(base64.StdEncoding.EncodeToString(secret)), cty.StringVal(string(text)),
		})
		if err != nil || got.AsString() != "hello" {
			t.Errorf("rsadecrypt with a %s = %#v, %v, want hello", kind, got, err)
		}
	}
}
