package engine

import (
	"reflect"
	"testing"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/state"
)

// TestInKeepsEveryField fails when a new field of the engine is not handed on
// to steps in other workspaces.
func TestInKeepsEveryField(t *testing.T) {
	t.Parallel()
	e := &Engine{}
	fields := reflect.ValueOf(e).Elem()
	for _, f := range fields.Fields() {
		if f.CanSet() {
			f.Set(filled(t, f.Type()))
		}
	}
	other := reflect.ValueOf(e.in("elsewhere", config.Scope{})).Elem()
	for i := range fields.NumField() {
		field := fields.Type().Field(i)
		if !field.IsExported() || field.Name == "Scope" || field.Name == "Workspace" {
			continue
		}
		if other.Field(i).IsZero() {
			t.Errorf("the engine in another workspace has no %s", field.Name)
		}
	}
	if got := other.FieldByName("Workspace").String(); got != "elsewhere" {
		t.Errorf("Workspace = %q, want elsewhere", got)
	}
}

// nobody implements the interfaces that the engine's fields have.
type nobody struct {
	UI
	Reporter
	state.Store
}

// filled returns a value of a type that is not zero.
func filled(t *testing.T, of reflect.Type) reflect.Value {
	t.Helper()
	switch of.Kind() {
	case reflect.Pointer:
		return reflect.New(of.Elem())
	case reflect.Map:
		return reflect.MakeMap(of)
	case reflect.Func:
		return reflect.MakeFunc(of, func([]reflect.Value) []reflect.Value { panic("not called") })
	case reflect.Int, reflect.Int64:
		return reflect.ValueOf(1).Convert(of)
	case reflect.Bool:
		return reflect.ValueOf(true).Convert(of)
	case reflect.String:
		return reflect.ValueOf("x").Convert(of)
	case reflect.Struct:
		v := reflect.New(of).Elem()
		for _, f := range v.Fields() {
			if f.CanSet() && f.Kind() == reflect.String {
				f.SetString("x")
			}
		}
		return v
	case reflect.Interface:
		return reflect.ValueOf(any(nobody{})).Convert(of)
	}
	t.Fatalf("the engine has a field of type %v, which this test cannot fill", of)
	return reflect.Value{}
}
