package doctor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/doctor"
)

// finds is a check that takes a while.
func finds(name string, after time.Duration, state doctor.State) doctor.Check {
	return doctor.Check{Name: name, Run: func(ctx context.Context) ([]doctor.Row, error) {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(after):
			return []doctor.Row{{Name: name, State: state}}, nil
		}
	}}
}

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		forever := make(chan struct{})
		began := time.Now()
		deaf := doctor.Check{Name: "deaf", Run: func(context.Context) ([]doctor.Row, error) {
			<-forever
			return nil, nil
		}}
		wrong := doctor.Check{Name: "wrong", Failed: doctor.Warning, Run: func(context.Context) ([]doctor.Row, error) {
			return []doctor.Row{{Name: "half", State: doctor.OK}}, errors.New("it broke")
		}}
		rows := doctor.Run(t.Context(), []doctor.Check{
			finds("slow", 9*time.Second, doctor.OK), deaf, wrong, finds("hanging", time.Hour, doctor.OK), finds("fast", 0, doctor.NotChecked),
		}, 10*time.Second)
		want := []doctor.Row{
			{Name: "slow", State: doctor.OK},
			{Name: "deaf", State: doctor.Problem, Finding: "no answer within 10 s", Remedy: "check the network, the proxy and the address"},
			{Name: "half", State: doctor.OK},
			{Name: "wrong", State: doctor.Warning, Finding: "it broke"},
			{Name: "hanging", State: doctor.Problem, Finding: "no answer within 10 s", Remedy: "check the network, the proxy and the address"},
			{Name: "fast", State: doctor.NotChecked},
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("it took %v, want that the checks run side by side", took)
		}
		close(forever)
	})
}

func TestStops(t *testing.T) {
	t.Parallel()
	for state, stops := range map[doctor.State]bool{doctor.OK: false, doctor.Warning: false, doctor.NotChecked: false, doctor.Problem: true} {
		if got := doctor.Stops([]doctor.Row{{State: doctor.OK}, {State: state}}); got != stops {
			t.Errorf("a row that is %q stops a deploy: %v, want %v", state, got, stops)
		}
	}
}
