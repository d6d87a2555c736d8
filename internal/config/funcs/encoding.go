package funcs

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// base64DecodeFunction replaces the one of go-cty-funcs, which writes what it
// decoded to the log: it may be a secret.
var base64DecodeFunction = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "str", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		decoded, err := base64.StdEncoding.DecodeString(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "this is not base64: %w", err)
		}
		if !utf8.Valid(decoded) {
			return cty.NilVal, function.NewArgError(0, errors.New("the decoded bytes are no UTF-8 text"))
		}
		return cty.StringVal(string(decoded)), nil
	},
})

// base64GzipFunction compresses a string.
var base64GzipFunction = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "str", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var compressed bytes.Buffer
		writer := gzip.NewWriter(&compressed)
		if _, err := writer.Write([]byte(args[0].AsString())); err != nil {
			return cty.NilVal, fmt.Errorf("compressing: %w", err)
		}
		if err := writer.Close(); err != nil {
			return cty.NilVal, fmt.Errorf("compressing: %w", err)
		}
		return cty.StringVal(base64Text(compressed.Bytes())), nil
	},
})

// hashFunction makes a function that returns the digest of a string as text.
func hashFunction(sum func(string) []byte, text func([]byte) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(text(sum(args[0].AsString()))), nil
		},
	})
}

func md5Sum(s string) []byte    { sum := md5.Sum([]byte(s)); return sum[:] }
func sha1Sum(s string) []byte   { sum := sha1.Sum([]byte(s)); return sum[:] }
func sha256Sum(s string) []byte { sum := sha256.Sum256([]byte(s)); return sum[:] }
func sha512Sum(s string) []byte { sum := sha512.Sum512([]byte(s)); return sum[:] }

func hexText(sum []byte) string    { return hex.EncodeToString(sum) }
func base64Text(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }
