package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// recordFlags are the flags of the verbs that begin with state.
type recordFlags struct {
	operation, format, output string
	all, dora, yes, force     bool
	gone                      []string
}

// operations are what records can be of.
var operations = []string{"build", "push", "deploy", "release", "hold"}

// shownRecords is how many records a table has without --all.
const shownRecords = 50

func selectionFlags(c *cobra.Command, f *flags) {
	c.Flags().StringVar(&f.records.operation, "operation", "", "only records of this `operation`: "+strings.Join(operations, ", "))
	c.Flags().StringVar(&f.since, "since", "", "only what started since: a `date` such as 2026-01-31, an RFC 3339 time, or an age such as 30d or 12h")
}

func allFlag(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.records.all, "all", false, fmt.Sprintf("every record, not only the newest %d", shownRecords))
}

func yesFlag(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.records.yes, "yes", false, "do it without asking")
}

// showRecords prints the records that the flags choose.
func showRecords(ctx context.Context, s *session, f *flags, _ []string) error {
	records, err := s.chosenRecords(ctx, f)
	if err != nil {
		return err
	}
	found := len(records)
	if !f.records.all {
		records = records[:min(found, shownRecords)]
	}
	if f.session.json {
		return s.printJSON(append([]state.Record{}, records...)) // [] where there is none
	}
	if found == 0 {
		s.ui.Print("There is no such record of project %q.", s.project.Name())
		return nil
	}
	rows := make([][]string, len(records))
	for i, r := range records {
		rows[i] = []string{
			r.Started.Local().Format("2006-01-02 15:04"), r.App, r.Workspace, r.Operation, strconv.Itoa(r.Sequence),
			string(r.Status), r.ID, cmp.Or(r.Origin.TriggeringActor, r.Origin.Actor), shorten(recordDetails(r)),
		}
	}
	s.ui.Print("%s", ui.Table([]string{"STARTED", "APP", "WORKSPACE", "OPERATION", "NO.", "STATUS", "ID", "BY", "DETAILS"}, rows))
	if len(records) < found {
		s.ui.Print("These are the newest %d of %d records. Say --all to see them all.", len(records), found)
	}
	return nil
}

// recordDetails is what sets a record apart from others of its kind.
func recordDetails(r state.Record) string {
	if r.Operation == "hold" {
		return strings.Join(slices.DeleteFunc([]string{r.Origin.Reason, r.Message}, func(text string) bool { return text == "" }), "; ")
	}
	return cmp.Or(r.Message, r.Deployment, shortDigest(r.Digest))
}

// chosenRecords returns the records that the flags choose, newest first, with
// every secret masked. Without a workspace they are those of all that the store
// knows.
func (s *session) chosenRecords(ctx context.Context, f *flags) ([]state.Record, error) {
	since, err := parseSince(f.since, s.engine.Now())
	if err != nil {
		return nil, err
	}
	if o := f.records.operation; o != "" && !slices.Contains(operations, o) {
		return nil, invalid(fmt.Sprintf("Unknown operation %q", o),
			fmt.Sprintf("The flag --operation takes %s.%s", strings.Join(operations, ", "), diag.Suggest(o, operations)))
	}
	q := state.Query{Project: s.project.Name(), Operation: f.records.operation}
	if f.session.workspace != "" || s.machine.getenv("WAYPOINT_WORKSPACE") != "" {
		q.Workspace = s.engine.Workspace
	}
	copies := make([][]state.Record, max(1, len(f.Apps)))
	for i := range copies {
		if len(f.Apps) > 0 {
			q.App = f.Apps[i]
		}
		for r, err := range s.engine.Store.List(ctx, q) {
			if err != nil {
				return nil, unreadable(err)
			}
			if !r.Started.Before(since) {
				copies[i] = append(copies[i], s.redacted(r))
			}
		}
		if known := s.project.Apps(); q.App != "" && len(copies[i]) == 0 && !slices.Contains(known, q.App) {
			return nil, invalid(fmt.Sprintf("Unknown app %q", q.App), fmt.Sprintf(
				"%s does not declare it, and no record that was asked for is of it.%s", s.project.Path(), diag.Suggest(q.App, known)))
		}
	}
	return state.Merge(copies...), nil
}

// unreadable makes an error of the store one that stopped the verb before it
// touched anything.
func unreadable(err error) error {
	return &engine.InvalidError{Diags: diag.Locate(err, nil, hcl.Range{})}
}

// redacted returns r as others may see it, in the newest schema. A secret in it
// is masked and no more: whoever stored it was told.
func (s *session) redacted(r state.Record) state.Record {
	r, _ = state.Redact(r, s.secrets)
	r.Schema = state.Schema
	return r
}

// parseSince reads a time or an age; the zero time where there is none.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if age, err := time.ParseDuration(text); err == nil && age >= 0 {
		return now.Add(-age), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return time.Time{}, invalid("Invalid --since", fmt.Sprintf(
		"It is %q, which is neither a date such as 2026-01-31, nor a time such as 2026-01-31T15:04:05Z, nor an age such as 30d or 12h.", text))
}
