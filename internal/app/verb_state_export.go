package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// formats are what state export can write.
var formats = []string{"state", "json", "ndjson"}

func exportFlags(c *cobra.Command, f *flags) {
	c.Flags().StringVar(&f.records.format, "format", "", "state, json or ndjson (default a state `format` file)")
	c.Flags().StringVarP(&f.records.output, "output", "o", "-", "the `file` to write; - is standard output")
	c.Flags().BoolVar(&f.records.dora, "dora", false, "write measures of the records instead")
}

// exportRecords writes the records that the flags choose, or measures of them.
func exportRecords(ctx context.Context, s *session, f *flags, _ []string) error {
	write, err := s.exporter(f)
	if err != nil {
		return err
	}
	var since time.Time
	if f.records.dora {
		// What was released since may have been built before.
		if since, err = parseSince(f.since, s.engine.Now()); err != nil {
			return err
		}
		f.since = ""
	}
	records, err := s.chosenRecords(ctx, f)
	if err != nil {
		return err
	}
	content, err := write(records, since)
	if err != nil {
		return err
	}
	if f.records.output == "-" {
		_, err := s.output().Write(content)
		return err
	}
	path := s.machine.fromDir([]string{f.records.output})[0]
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return invalid("The export cannot be written", err.Error()+". The flag --output takes the path of a file in a folder that exists.")
	}
	s.ui.Print("Exported %s to %s.", count(len(records), "record"), f.records.output)
	return nil
}

// exporter returns what makes the content that the flags ask for.
func (s *session) exporter(f *flags) (func([]state.Record, time.Time) ([]byte, error), error) {
	format := f.records.format
	if format == "" && f.session.json {
		format = "json"
	}
	switch {
	case f.records.dora && (format == "" || format == "json"):
		if f.records.operation != "" {
			return nil, invalid("Measures of one operation", "The measures of --dora are made of builds, deploys and releases together. Leave --operation away.")
		}
		return s.doraExporter(format), nil
	case f.records.dora:
		return nil, invalid(fmt.Sprintf("No measures in the format %q", format), "The measures of --dora are a table, or with --json an array.")
	case format == "json":
		return func(records []state.Record, _ time.Time) ([]byte, error) { return indented(records) }, nil
	case format == "ndjson":
		return func(records []state.Record, _ time.Time) ([]byte, error) { return jsonLines(records) }, nil
	case format != "" && format != "state":
		return nil, invalid(fmt.Sprintf("Unknown format %q", format),
			"The flag --format takes state, json or ndjson."+diag.Suggest(format, formats))
	case f.records.output == "-" && s.isLog():
		return nil, invalid("A state file is not for reading", "It is compressed, and would spoil the log or the terminal. Name a file with --output, or say --format ndjson.")
	}
	return func(records []state.Record, _ time.Time) ([]byte, error) {
		var file bytes.Buffer
		err := state.Encode(&file, state.Header{}, records)
		return file.Bytes(), err
	}, nil
}

// isLog reports whether standard output is read by people.
func (s *session) isLog() bool {
	out, ok := s.machine.Stdout.(*os.File)
	return s.machine.runner.Active() || ok && term.IsTerminal(int(out.Fd()))
}

func jsonLines(records []state.Record) ([]byte, error) {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, r := range records {
		if err := encoder.Encode(r); err != nil {
			return nil, fmt.Errorf("encoding record %s: %w", r.ID, err)
		}
	}
	return lines.Bytes(), nil
}

// indented returns a list as JSON for people and programs.
func indented[T any](list []T) ([]byte, error) {
	if list == nil {
		list = []T{}
	}
	content, err := json.MarshalIndent(list, "", "  ")
	return append(content, '\n'), err
}

// jsonMeasures is state.Measures as state export --dora --json shows it. Times
// are null where there was nothing to take the median of.
type jsonMeasures struct {
	App           string    `json:"app"`
	Workspace     string    `json:"workspace"`
	From          time.Time `json:"from"`
	Until         time.Time `json:"until"`
	Deployments   int       `json:"deployments"`
	PerDay        float64   `json:"deployments_per_day"`
	LeadTime      *float64  `json:"lead_time_seconds"`
	Attempts      int       `json:"attempts"`
	Failures      int       `json:"failures"`
	FailureRate   *float64  `json:"change_failure_rate"`
	TimeToRestore *float64  `json:"time_to_restore_seconds"`
	Unrestored    bool      `json:"unrestored"`
}

// doraExporter makes the measures of records, as a table or as JSON.
func (s *session) doraExporter(format string) func([]state.Record, time.Time) ([]byte, error) {
	return func(records []state.Record, since time.Time) ([]byte, error) {
		measured := state.Measure(records, since, s.engine.Now())
		if format == "json" {
			shown := make([]jsonMeasures, len(measured))
			for i, m := range measured {
				shown[i] = measuresJSON(m)
			}
			return indented(shown)
		}
		rows := make([][]string, len(measured))
		for i, m := range measured {
			rows[i] = []string{
				m.App, m.Workspace, m.From.Local().Format("2006-01-02"),
				fmt.Sprintf("%d (%.2f a day)", m.Deployments, m.PerDay()),
				medianText(m.LeadTime), rateText(m), medianText(m.TimeToRestore) + unrestored(m),
			}
		}
		return []byte(ui.Table([]string{"APP", "WORKSPACE", "SINCE", "DEPLOYMENTS", "LEAD TIME", "FAILURE RATE", "TIME TO RESTORE"}, rows)), nil
	}
}

func measuresJSON(m state.Measures) jsonMeasures {
	shown := jsonMeasures{
		App: m.App, Workspace: m.Workspace, From: m.From, Until: m.Until, Deployments: m.Deployments, PerDay: m.PerDay(),
		LeadTime: medianSeconds(m.LeadTime), Attempts: m.Attempts, Failures: m.Failures,
		TimeToRestore: medianSeconds(m.TimeToRestore), Unrestored: m.Unrestored,
	}
	if m.Attempts > 0 {
		shown.FailureRate = new(m.FailureRate())
	}
	return shown
}

func medianSeconds(m state.Median) *float64 {
	if m.Of == 0 {
		return nil
	}
	return new(m.Value.Seconds())
}

func medianText(m state.Median) string {
	if m.Of == 0 {
		return "-"
	}
	return m.Value.Round(time.Second).String()
}

func rateText(m state.Measures) string {
	if m.Attempts == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f%% (%d of %d)", 100*m.FailureRate(), m.Failures, m.Attempts)
}

// unrestored marks a failure that lasts.
func unrestored(m state.Measures) string {
	if m.Unrestored {
		return ", and one failure lasts"
	}
	return ""
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
