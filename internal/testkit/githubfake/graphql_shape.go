package githubfake

import (
	"fmt"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// resolver makes the value of a field that takes arguments.
type resolver func(args map[string]any) any

// shape cuts values to what a query asks for, and holds them against the
// schema.
type shape struct {
	variables map[string]any
	broken    []string
}

// object returns those fields of an object that are asked for.
func (s *shape) object(path string, selected ast.SelectionSet, value map[string]any) any {
	answer := map[string]any{}
	for _, selection := range selected {
		field, ok := selection.(*ast.Field)
		if !ok {
			s.breaks(path, "fragments are not supported here")
			continue
		}
		at := path + "." + field.Name
		of, has := value[field.Name]
		if !has {
			s.breaks(at, "the store has no such field")
			continue
		}
		if resolve, ok := of.(resolver); ok {
			of = resolve(field.ArgumentMap(s.variables))
		}
		answer[field.Alias] = s.value(at, field, field.Definition.Type, of)
	}
	return answer
}

// value returns a value as its type allows it.
func (s *shape) value(path string, field *ast.Field, t *ast.Type, value any) any {
	switch {
	case value == nil && t.NonNull:
		s.breaks(path, "null is not allowed")
		return nil
	case value == nil:
		return nil
	case t.Elem != nil:
		list, ok := value.([]any)
		if !ok {
			s.breaks(path, fmt.Sprintf("%T is no list", value))
			return nil
		}
		answer := make([]any, len(list))
		for i, item := range list {
			answer[i] = s.value(fmt.Sprintf("%s[%d]", path, i), field, t.Elem, item)
		}
		return answer
	case len(field.SelectionSet) > 0:
		inner, ok := value.(map[string]any)
		if !ok {
			s.breaks(path, fmt.Sprintf("%T is no object", value))
			return nil
		}
		return s.object(path, field.SelectionSet, inner)
	}
	return s.leaf(path, t.NamedType, value)
}

// leaf returns a scalar, or one word of an enumeration.
func (s *shape) leaf(path, name string, value any) any {
	fits := false
	switch typed := value.(type) {
	case bool:
		fits = name == "Boolean"
	case int64, int:
		fits = name == "Int"
	case time.Time:
		fits = name == "DateTime"
		value = typed.UTC().Format(time.RFC3339)
	case string:
		known, err := schema()
		definition := known.Types[name]
		isWord := err == nil && definition != nil && definition.Kind == ast.Enum
		fits = name == "String" || name == "ID" || isWord && definition.EnumValues.ForName(typed) != nil
	}
	if !fits {
		s.breaks(path, fmt.Sprintf("%v is no %s", value, name))
	}
	return value
}

func (s *shape) breaks(path, why string) { s.broken = append(s.broken, path+": "+why) }
