package plugintest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
)

// SourcerCase is a config sourcer and a world to try it in.
type SourcerCase struct {
	Plugin component.Plugin

	// New makes a world that knows the keys, as in [PlatformCase]. Its Config
	// is the inside of a source block.
	New func(t *testing.T, calls *Calls) World

	// Keys are answered with Want. Unknown is a key that the source lacks.
	Keys    []component.Key
	Want    []string
	Unknown component.Key

	// RealTime is for worlds with sockets or processes.
	RealTime bool
}

// Sourcer checks what every config sourcer promises.
func Sourcer(t *testing.T, c SourcerCase) {
	t.Helper()
	s, checks := c.contract()
	runChecks(t, s, checks)
}

// contract returns the checks of a sourcer with their subject.
func (c SourcerCase) contract() (*subject, []check) {
	s := &subject{plugin: c.Plugin, kind: sourcer, folder: ".", newWorld: c.New, realTime: c.RealTime}
	return s, []check{
		once("keys are answered in order", c.answers),
		{"stopped at any call, it says so", c.stoppedReads},
	}
}

// answers reads every key at once, with an unknown one at the end, and closes
// the source.
func (c SourcerCase) answers(tr *trial) error {
	s, err := open(tr, tr.plugin.Sourcer.Open)
	if err != nil {
		return err
	}
	if readings, err := s.Read(tr.ctx, nil); tr.say(readings, err) != nil || len(readings) > 0 {
		return fmt.Errorf("signing in without a key gives %d readings (%w)", len(readings), err)
	}
	readings, err := s.Read(tr.ctx, append(c.Keys[:len(c.Keys):len(c.Keys)], c.Unknown))
	if tr.say(readings, err) != nil {
		return fmt.Errorf("reading: %w", err)
	}
	if len(readings) != len(c.Keys)+1 {
		return fmt.Errorf("%d keys get %d readings", len(c.Keys)+1, len(readings))
	}
	for i, want := range c.Want {
		if got := readings[i]; got.Err != nil || got.Text.Reveal() != want {
			return fmt.Errorf("key %d does not get its value (%w)", i+1, got.Err)
		}
	}
	if readings[len(c.Keys)].Err == nil {
		return errors.New("an unknown key is answered without an error of its own")
	}
	if err := c.answersAgain(tr, s); err != nil {
		return err
	}
	if err := tr.say(nil, s.Close(tr.ctx)); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	return tr.expectNothing()
}

// answersAgain reads the last key once more: answers can lead to further reads.
func (c SourcerCase) answersAgain(tr *trial, s component.Sourcer) error {
	last := len(c.Keys) - 1
	readings, err := s.Read(tr.ctx, c.Keys[last:])
	if tr.say(readings, err) != nil {
		return fmt.Errorf("reading a second time: %w", err)
	}
	if len(readings) != 1 || readings[0].Err != nil || readings[0].Text.Reveal() != c.Want[last] {
		return errors.New("a second read does not answer like the first")
	}
	return nil
}

// stoppedReads makes every call of a read fail or be cut off: there is an
// error, of the whole or of a key, and what was obtained is given back.
func (c SourcerCase) stoppedReads(t *testing.T, s *subject) error {
	scenario := func(tr *trial, struck strike) (bool, error) {
		s, err := open(tr, tr.plugin.Sourcer.Open)
		if err != nil {
			return false, err
		}
		ctx := tr.calls.arm(tr.ctx, struck)
		readings, failure := s.Read(ctx, c.Keys)
		reached, late := tr.calls.disarm()
		_ = tr.say(readings, failure) // only kept, for the search for secrets
		if len(late) > 0 {
			return reached, fmt.Errorf("requests are sent after the context ended: %q", late)
		}
		if failure == nil && len(readings) != len(c.Keys) {
			return reached, fmt.Errorf("%d keys get %d readings and no error", len(c.Keys), len(readings))
		}
		if err := tr.say(nil, s.Close(tr.ctx)); err != nil {
			return reached, fmt.Errorf("closing: %w", err)
		}
		return reached, tr.expectNothing()
	}
	return errors.Join(everyCall(t, s, cancelled, scenario), everyCall(t, s, faulted, scenario))
}
