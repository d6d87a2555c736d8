package memstore_test

import (
	"errors"
	"testing"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/memstore"
	"github.com/deploy-action/deploy-action/internal/testkit/statetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	statetest.Run(t, func(*testing.T) state.Store { return memstore.New() })
}

func TestPutRedacts(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	s.Secrets = &secret.Set{}
	s.Secrets.Add("hunter2hunter2")

	err := s.Put(t.Context(), state.Record{ID: "A", Status: state.Failed, Message: "got hunter2hunter2"})
	if e, ok := errors.AsType[*state.SecretError](err); !ok || e.Field != "message" {
		t.Errorf("Put = %v, want a SecretError for message", err)
	}
	got, err := state.Latest(t.Context(), s, state.Query{})
	if err != nil || got.Message != "got ***" {
		t.Errorf("Latest = %q, %v, want the masked message", got.Message, err)
	}
}
