package funcs

import (
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"hash"
	"io"
	"unicode/utf8"

	"github.com/hashicorp/go-cty-funcs/crypto"
	"github.com/hashicorp/go-cty-funcs/uuid"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

const (
	maxCost   = 13      // of bcrypt: each step more takes twice as long
	maxSecret = 8 << 10 // bytes of a key for rsadecrypt
)

func hashEntries() []entry {
	return []entry{
		{name: "base64sha256", function: hashFunction(sha256.New, base64Text), summary: "Returns the SHA-256 hash of a text in base64."},
		{name: "base64sha512", function: hashFunction(sha512.New, base64Text), summary: "Returns the SHA-512 hash of a text in base64."},
		{name: "bcrypt", function: crypto.BcryptFunc, check: checkCost, summary: "Returns a bcrypt hash of a text, another one for each call; the cost is 10 unless given."},
		{name: "md5", function: hashFunction(md5.New, hex.EncodeToString), summary: "Returns the MD5 hash of a text in hexadecimal digits."},
		{name: "rsadecrypt", function: rsaDecryptFunction, check: checkLength(maxSecret), summary: "Decrypts base64 text with an RSA key in PEM form."},
		{name: "sha1", function: hashFunction(sha1.New, hex.EncodeToString), summary: "Returns the SHA-1 hash of a text in hexadecimal digits."},
		{name: "sha256", function: hashFunction(sha256.New, hex.EncodeToString), summary: "Returns the SHA-256 hash of a text in hexadecimal digits."},
		{name: "sha512", function: hashFunction(sha512.New, hex.EncodeToString), summary: "Returns the SHA-512 hash of a text in hexadecimal digits."},
		{name: "uuid", function: uuid.V4Func, summary: "Returns a random UUID, another one for each call."},
		{name: "uuidv5", function: uuid.V5Func, summary: "Returns the UUID of a name in a namespace: \"dns\", \"url\", \"oid\", \"x500\" or a UUID."},
	}
}

// hashFunction makes a function that returns the digest of a string as text.
func hashFunction(algorithm func() hash.Hash, write func([]byte) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			sum := algorithm()
			if _, err := io.WriteString(sum, args[0].AsString()); err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(write(sum.Sum(nil))), nil
		},
	})
}

// base64Text is bytes as base64 writes them.
func base64Text(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

// checkCost bounds the cost of bcrypt.
func checkCost(args []cty.Value) error {
	for i, arg := range args[min(1, len(args)):] {
		if cost, known := whole(arg); known && cost > maxCost {
			return function.NewArgErrorf(i+1, "a cost of more than %d takes too long", maxCost)
		}
	}
	return nil
}

// rsaDecryptFunction replaces the one of go-cty-funcs, whose errors quote the
// text to decrypt and which knows only one form of key.
var rsaDecryptFunction = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "ciphertext", Type: cty.String}, {Name: "privatekey", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		secret, err := base64.StdEncoding.DecodeString(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "this is not base64: %w", err)
		}
		key, err := rsaKey(args[1].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgError(1, err)
		}
		plain, err := key.Decrypt(nil, secret, nil) // PKCS #1 v1.5, as openssl encrypts unless told otherwise
		if err != nil {
			return cty.NilVal, function.NewArgError(0, errors.New("it cannot be decrypted with this key"))
		}
		if !utf8.Valid(plain) {
			return cty.NilVal, function.NewArgError(0, errors.New("the decrypted bytes are no UTF-8 text"))
		}
		return cty.StringVal(string(plain)), nil
	},
})

// rsaKey reads a private key, in either of the forms that openssl writes.
func rsaKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return nil, errors.New("this is no key in PEM form, which begins with -----BEGIN")
	case block.Headers["Proc-Type"] == "4,ENCRYPTED" || block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the key has a password; decrypt it first")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if key, ok := parsed.(*rsa.PrivateKey); err == nil && ok {
		return key, nil
	}
	return nil, errors.New("this is no private RSA key")
}
