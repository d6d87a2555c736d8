package config

import (
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// The types that are looked for in configuration structs.
var (
	expressionType = reflect.TypeFor[hcl.Expression]()
	attributeType  = reflect.TypeFor[*hcl.Attribute]()
	ctyValueType   = reflect.TypeFor[cty.Value]()
	secretType     = reflect.TypeFor[secret.Text]()
)

// structType returns the struct type that into points to, or nil.
func structType(into any) reflect.Type {
	t := reflect.TypeOf(into)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil
	}
	return t.Elem()
}

// fieldType returns the type that the argument or block of that name is
// decoded into: the struct behind a block's pointers and slices, the element
// of a map. It is nil where the target does not say.
func fieldType(target reflect.Type, name string) reflect.Type {
	if target != nil && target.Kind() == reflect.Map {
		return target.Elem()
	}
	switch field, kind := taggedField(target, name); kind {
	case "", "attr", "optional":
		return field
	case "block":
		return element(field)
	}
	return nil
}

// repeats reports whether target takes several blocks of one type. It takes
// any number where it does not say.
func repeats(target reflect.Type, blockType string) bool {
	field, kind := taggedField(target, blockType)
	return kind != "block" || field.Kind() == reflect.Slice
}

// taggedField returns the type of the field of that name, and how its tag says
// that it is decoded. The type is nil where target has no such field.
func taggedField(target reflect.Type, name string) (field reflect.Type, kind string) {
	if target == nil || target.Kind() != reflect.Struct {
		return nil, ""
	}
	for field := range target.Fields() {
		switch tagged, kind, _ := strings.Cut(field.Tag.Get("hcl"), ","); kind {
		case "", "attr", "optional", "block":
			if tagged == name && name != "" {
				return field.Type, kind
			}
		}
	}
	return nil, ""
}

// remainType returns the struct or map type that takes what target has no
// field for, or nil.
func remainType(target reflect.Type) reflect.Type {
	if target == nil || target.Kind() != reflect.Struct {
		return nil
	}
	for field := range target.Fields() {
		if _, kind, _ := strings.Cut(field.Tag.Get("hcl"), ","); kind == "remain" {
			if kind := field.Type.Kind(); kind == reflect.Struct || kind == reflect.Map {
				return field.Type
			}
		}
	}
	return nil
}

// element returns the type behind pointers and slices.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// keepsSecret reports whether a field of that type holds secrets: a
// [secret.Text], or pointers, lists or maps of them.
func keepsSecret(t reflect.Type) bool {
	for t != nil && t != secretType {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			t = t.Elem()
		default:
			return false
		}
	}
	return t == secretType
}

// valueType returns the type of value that a field takes. It is
// [cty.DynamicPseudoType] for one that takes any.
func valueType(field reflect.Type) cty.Type {
	switch {
	case field == nil, field == attributeType, field == ctyValueType, field.Implements(expressionType):
		return cty.DynamicPseudoType
	}
	t, err := gocty.ImpliedType(reflect.Zero(field).Interface())
	if err != nil {
		return cty.DynamicPseudoType // gohcl panics on it, naming the field
	}
	return t
}

// parts returns everything in body, for a reader that knows no schema. In JSON
// a block cannot be told from an argument, and is one of the attributes.
func parts(body hcl.Body) (hcl.Attributes, hcl.Blocks) {
	attributes, _ := body.JustAttributes()
	native, ok := body.(*hclsyntax.Body)
	if !ok {
		return attributes, nil
	}
	schema := &hcl.BodySchema{}
	for _, block := range native.Blocks {
		labels := make([]string, len(block.Labels))
		for i := range labels {
			labels[i] = "name"
		}
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: block.Type, LabelNames: labels})
	}
	content, _, _ := native.PartialContent(schema)
	return attributes, content.Blocks
}
