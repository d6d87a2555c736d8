package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state"
)

// oneFile explains what state import takes.
func oneFile(_ *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return errors.New("state import takes one state file, as in: deploy-action state import production.state")
}

// importRecords merges the records of a state file into the store.
func importRecords(ctx context.Context, s *session, f *flags, args []string) error {
	header, records, err := s.readState(args[0])
	if err != nil {
		return err
	}
	known, err := s.knownRecords(ctx, records)
	if err != nil {
		return err
	}
	c := s.compare(header, records, known)
	s.ui.Print("%s holds %s: %d new, %d further along than here, %d known.", args[0], count(len(records), "record"), c.added, c.advanced, c.same)
	if len(c.changes) == 0 {
		return s.setOutcome(engine.Unchanged)
	}
	if !f.records.yes {
		if agreed, err := s.ask(ctx, "Merge them into the state?"); err != nil || !agreed {
			return err
		}
	}
	for _, r := range slices.Backward(c.changes) { // the oldest first
		if err := s.engine.Store.Put(ctx, r); err != nil {
			return fmt.Errorf("importing record %s: %w", r.ID, err)
		}
	}
	s.ui.Print("Imported %s.", count(len(c.changes), "record"))
	return s.setOutcome(engine.Changed)
}

// readState reads a state file of this project.
func (s *session) readState(name string) (state.Header, []state.Record, error) {
	file, err := os.Open(s.machine.fromDir([]string{name})[0])
	if err != nil {
		return state.Header{}, nil, invalid("The state file cannot be opened", err.Error()+". It takes a file that `state export` wrote, or the file in a state artifact.")
	}
	defer file.Close()
	header, records, err := state.Decode(file)
	if err != nil {
		return state.Header{}, nil, invalid(fmt.Sprintf("%q cannot be imported", name), err.Error()+". Nothing was changed.")
	}
	project := s.project.Name()
	if i := slices.IndexFunc(records, func(r state.Record) bool { return r.Project != project }); i >= 0 {
		return state.Header{}, nil, invalid(fmt.Sprintf("%q is of another project", name), fmt.Sprintf(
			"It has records of project %q, and %s is of project %q. Import it where the file of its project is. Nothing was changed.",
			records[i].Project, s.project.Path(), project))
	}
	return header, records, nil
}

// knownRecords returns what the store has of the apps and workspaces of records,
// by ID.
func (s *session) knownRecords(ctx context.Context, records []state.Record) (map[string]state.Record, error) {
	places := map[state.Query]bool{}
	for _, r := range records {
		places[state.Query{Project: r.Project, App: r.App, Workspace: r.Workspace}] = true
	}
	known := map[string]state.Record{}
	for q := range maps.Keys(places) {
		for r, err := range s.engine.Store.List(ctx, q) {
			if err != nil {
				return nil, unreadable(err)
			}
			known[r.ID] = r
		}
	}
	return known, nil
}

// comparison is what an import would do.
type comparison struct {
	changes               []state.Record // as they will be, newest first
	added, advanced, same int            // records of the file
}

// compare says what records would change of those that are known. A deployment
// or hold that is trimmed in the file was destroyed where the file comes from.
func (s *session) compare(header state.Header, records []state.Record, known map[string]state.Record) comparison {
	var c comparison
	for _, r := range records {
		r = s.redacted(r)
		here, ok := known[r.ID]
		switch {
		case !ok:
			c.added++
			c.changes = append(c.changes, r)
		case !reflect.DeepEqual(state.Merge([]state.Record{here}, []state.Record{r}), []state.Record{here}):
			c.advanced++
			c.changes = append(c.changes, r)
		default:
			c.same++
		}
	}
	for _, here := range known {
		destroyable := here.Operation == "deploy" || here.Operation == "hold"
		if destroyable && here.Status != state.Destroyed && header.Trimmed.Has(here) {
			here.Status = state.Destroyed
			c.changes = append(c.changes, here)
		}
	}
	c.changes = state.Merge(c.changes)
	return c
}

// ask puts a question to whoever sits at the terminal. Where nobody does, it is
// an invalid call.
func (s *session) ask(ctx context.Context, question string) (agreed bool, err error) {
	in, ok := s.machine.Stdin.(*os.File)
	if !ok || s.machine.runner.Active() || !term.IsTerminal(int(in.Fd())) {
		return false, invalid("Nobody can be asked", "This would change the state, and there is no terminal to confirm it on. Say --yes to do it without asking.")
	}
	s.ui.Print("%s Only \"yes\" does it.", question)
	answers := make(chan string, 1)
	go func() { // a terminal cannot be told to stop reading
		answer, _ := bufio.NewReader(in).ReadString('\n') // what cannot be read is no yes
		answers <- strings.TrimSpace(answer)
	}()
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case answer := <-answers:
		agreed = answer == "yes"
	}
	if !agreed {
		s.ui.Print("Nothing was changed.")
	}
	return agreed, nil
}
