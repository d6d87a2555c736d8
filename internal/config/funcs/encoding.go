package funcs

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/go-cty-funcs/encoding"
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"golang.org/x/text/encoding/ianaindex"
)

func encodingEntries() []entry {
	return []entry{
		{name: "base64decode", function: base64DecodeFunction, summary: "Decodes base64 to UTF-8 text."},
		{name: "base64encode", function: encoding.Base64EncodeFunc, summary: "Encodes a text in base64."},
		{name: "base64gunzip", function: base64GunzipFunction, summary: "Decodes base64 and decompresses it to UTF-8 text."},
		{name: "base64gzip", function: base64GzipFunction, summary: "Compresses a text and encodes it in base64."},
		{name: "csvdecode", function: stdlib.CSVDecodeFunc, check: checkCSV, summary: "Reads comma-separated values; the first line names the columns."},
		{name: "jsondecode", function: stdlib.JSONDecodeFunc, check: checkJSON, summary: "Reads JSON."},
		{name: "jsonencode", function: stdlib.JSONEncodeFunc, check: checkSlow, summary: "Writes a value as JSON."},
		{name: "textdecodebase64", function: textDecodeFunction, summary: "Decodes base64 to text in an encoding such as \"UTF-16LE\"."},
		{name: "textencodebase64", function: textEncodeFunction, summary: "Encodes a text in an encoding such as \"UTF-16LE\", and that in base64."},
		{name: "urldecode", function: urlDecodeFunction, summary: "Decodes a text that was encoded for a URL."},
		{name: "urlencode", function: encoding.URLEncodeFunc, summary: "Encodes a text for a URL."},
		{name: "yamldecode", function: ctyyaml.YAMLDecodeFunc, check: checkYAML, summary: "Reads YAML of one document."},
		{name: "yamlencode", function: ctyyaml.YAMLEncodeFunc, check: checkSlow, summary: "Writes a value as YAML."},
	}
}

// decoding makes a function of one string that may be refused.
func decoding(decode func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			decoded, err := decode(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			if !utf8.ValidString(decoded) {
				return cty.NilVal, function.NewArgError(0, errors.New("the decoded bytes are no UTF-8 text"))
			}
			return cty.StringVal(decoded), nil
		},
	})
}

// base64DecodeFunction replaces the one of go-cty-funcs, which writes what it
// decoded to the log: it may be a secret.
var base64DecodeFunction = decoding(func(s string) (string, error) {
	decoded, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", fmt.Errorf("this is not base64: %w", err)
	}
	return string(decoded), nil
})

// base64GunzipFunction undoes base64gzip. It stops where a small text would
// become a large one.
var base64GunzipFunction = decoding(func(s string) (string, error) {
	compressed, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", fmt.Errorf("this is not base64: %w", err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return "", fmt.Errorf("this is not compressed by gzip: %w", err)
	}
	content, err := io.ReadAll(io.LimitReader(reader, MaxSize+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("decompressing: %w", err)
	case len(content) > MaxSize:
		return "", tooLong()
	}
	return string(content), nil
})

// base64GzipFunction compresses a string.
var base64GzipFunction = decoding(func(s string) (string, error) {
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	if _, err := io.WriteString(writer, s); err != nil {
		return "", fmt.Errorf("compressing: %w", err)
	}
	if err := writer.Close(); err != nil {
		return "", fmt.Errorf("compressing: %w", err)
	}
	return base64Text(compressed.Bytes()), nil
})

// urlDecodeFunction undoes urlencode.
var urlDecodeFunction = decoding(func(s string) (string, error) {
	decoded, err := url.QueryUnescape(s)
	if bad, ok := errors.AsType[url.EscapeError](err); ok {
		return "", fmt.Errorf("%q is no escape of two hexadecimal digits", string(bad))
	}
	return decoded, err
})

// textEncodeFunction and textDecodeFunction know the encodings that IANA
// registered.
var (
	textEncodeFunction = transcoding("string", func(s, name string) (string, error) {
		known, err := ianaindex.IANA.Encoding(name)
		if err != nil || known == nil {
			return "", unknownEncoding(name)
		}
		encoded, err := known.NewEncoder().String(s)
		if err != nil {
			return "", function.NewArgErrorf(0, "it has characters that %s cannot write", name)
		}
		return base64Text([]byte(encoded)), nil
	})
	textDecodeFunction = transcoding("source", func(s, name string) (string, error) {
		known, err := ianaindex.IANA.Encoding(name)
		if err != nil || known == nil {
			return "", unknownEncoding(name)
		}
		encoded, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "", function.NewArgErrorf(0, "this is not base64: %w", err)
		}
		decoded, err := known.NewDecoder().Bytes(encoded)
		// The decoder puts this character where it cannot read.
		if err != nil || strings.ContainsRune(string(decoded), utf8.RuneError) {
			return "", function.NewArgErrorf(0, "the decoded bytes are no text in %s", name)
		}
		return string(decoded), nil
	})
)

func unknownEncoding(name string) error {
	return function.NewArgErrorf(1, "there is no encoding %q; \"UTF-8\", \"UTF-16LE\" and \"ISO-8859-1\" are some", name)
}

// transcoding makes a function of a text and the name of an encoding.
func transcoding(param string, change func(s, name string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: param, Type: cty.String}, {Name: "encoding", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			changed, err := change(args[0].AsString(), args[1].AsString())
			return cty.StringVal(changed), err
		},
	})
}
