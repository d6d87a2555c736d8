package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// resolve asks the sources for every dynamic value that stages of the named
// apps need and that is not known yet. Answers may lead to further questions, as
// where the path of one secret is the value of another.
func (e *Engine) resolve(ctx context.Context, names []string, stages ...string) error {
	for range longestChain {
		requests := e.requests(names, stages)
		if len(requests) == 0 {
			break
		}
		if err := e.answer(ctx, requests); err != nil {
			return err
		}
	}
	if slices.Contains(stages, config.Settings) {
		return e.complete(names)
	}
	return nil
}

// longestChain is how often answers may lead to further questions. Questions
// that are others each time, as with a time in them, would have no end.
const longestChain = 20

// complete reports the settings of the named apps that are not known although
// all sources were asked.
func (e *Engine) complete(names []string) error {
	var diags hcl.Diagnostics
	for _, name := range names {
		if app, _ := e.Project.App(name, e.Scope); app != nil {
			diags = append(diags, app.Unknown...)
		}
	}
	if diags.HasErrors() {
		return &InvalidError{Unique(diags)}
	}
	return nil
}

// answer asks the sources what is requested.
func (e *Engine) answer(ctx context.Context, requests []config.Request) error {
	if problems := e.checkSources(requests); problems.HasErrors() {
		return &InvalidError{problems}
	}
	answers, diags := e.ask(ctx, requests)
	if err := context.Cause(ctx); err != nil {
		return err
	}
	scope, more := e.Scope.WithAnswers(answers)
	if diags = append(diags, more...); diags.HasErrors() {
		return &InvalidError{Unique(diags)}
	}
	e.Scope = scope
	return nil
}

// requests returns what stages of the named apps ask for, each once.
func (e *Engine) requests(names, stages []string) []config.Request {
	var requests []config.Request
	seen := map[string]bool{}
	for _, name := range names {
		for _, r := range e.Project.Requests(name, e.Scope, stages...) {
			if !seen[r.ID()] {
				seen[r.ID()] = true
				requests = append(requests, r)
			}
		}
	}
	return requests
}

// checkSources reports sources that do not exist, and what is wrong with their
// blocks as far as it is known.
func (e *Engine) checkSources(requests []config.Request) hcl.Diagnostics {
	var diags hcl.Diagnostics
	places := map[string]hcl.Range{}
	for _, r := range requests {
		if _, seen := places[r.Source]; !seen {
			places[r.Source] = r.Range
		}
	}
	for _, name := range e.Project.Sources() {
		places[name] = e.Project.Source(name).Range
	}
	for _, name := range slices.Sorted(maps.Keys(places)) {
		if plugin := e.Plugins[name]; plugin.Sourcer == nil {
			diags = append(diags, e.unknownSource(name, places[name]))
			continue
		}
		if into := e.Plugins[name].Sourcer.Config(); into != nil {
			_, more := e.Project.Source(name).Check(e.Scope, into)
			diags = append(diags, lackingSource(more, name, places[name])...)
		}
	}
	return diags
}

// lackingSource places what is said of the settings of a source for which the
// file has no block.
func lackingSource(diags hcl.Diagnostics, name string, asker hcl.Range) hcl.Diagnostics {
	for _, d := range diags {
		if d.Subject == nil || d.Subject.Filename == "" {
			d.Subject = &asker
			d.Detail += fmt.Sprintf(" The file has no settings of this source yet: write them in source %q { … }.", name)
		}
	}
	return diags
}

// unknownSource reports a source that no plugin is.
func (e *Engine) unknownSource(name string, where hcl.Range) *hcl.Diagnostic {
	var able []string
	for _, plugin := range slices.Sorted(maps.Keys(e.Plugins)) {
		if e.Plugins[plugin].Sourcer != nil {
			able = append(able, plugin)
		}
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  fmt.Sprintf("Unknown source %q", name),
		Detail:   fmt.Sprintf("No plugin of that name is a source of values. There are %s.%s", list(able, "none"), diag.Suggest(name, able)),
		Subject:  &where,
	}
}

// ask reads what is requested, from all sources at once. A source whose own
// settings wait for the answer of another is asked next time.
func (e *Engine) ask(ctx context.Context, requests []config.Request) (map[string]component.Reading, hcl.Diagnostics) {
	bySource := map[string][]config.Request{}
	for _, r := range requests {
		bySource[r.Source] = append(bySource[r.Source], r)
	}
	names := slices.Sorted(maps.Keys(bySource))
	ready := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		complete, _ := e.Project.Source(name).Check(e.Scope, e.Plugins[name].Sourcer.Config())
		return !complete
	})
	if len(ready) == 0 {
		return nil, hcl.Diagnostics{e.deadlock(names, requests[0].Range)}
	}
	var (
		asking  sync.WaitGroup
		mu      sync.Mutex
		diags   hcl.Diagnostics
		answers = map[string]component.Reading{}
	)
	for _, name := range ready {
		asking.Go(func() {
			readings, err := e.askSource(ctx, name, bySource[name])
			mu.Lock()
			defer mu.Unlock()
			source := e.Project.Source(name)
			diags = append(diags, diag.Locate(err, source.Body, bySource[name][0].Range)...)
			for i, reading := range readings {
				answers[bySource[name][i].ID()] = reading
				diags = append(diags, diag.Locate(reading.Err, source.Body, bySource[name][i].Range)...)
			}
		})
	}
	asking.Wait()
	return answers, diags
}

// deadlock reports sources none of which can be asked before the others.
func (e *Engine) deadlock(names []string, asker hcl.Range) *hcl.Diagnostic {
	where := asker
	if block := e.Project.Source(names[0]).Range; block.Filename != "" {
		where = block
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Sources that wait for one another",
		Detail: fmt.Sprintf("The settings of %s wait for an answer of %[1]s, so there is none to ask first. "+
			"Take one of the settings from elsewhere, such as a variable without a dynamic default.", list(names, "none")),
		Subject: &where,
	}
}

// askSource opens a source and reads requests from it. What it answers is
// masked before anything else is done with it.
func (e *Engine) askSource(ctx context.Context, name string, requests []config.Request) ([]component.Reading, error) {
	sourcer, err := e.source(name)
	if err != nil {
		return nil, err
	}
	keys := make([]component.Key, len(requests))
	for i, r := range requests {
		keys[i] = r.Key
	}
	var readings []component.Reading
	err = e.UI.Step(ctx, fmt.Sprintf("Reading %s from %s", count(len(keys), "value"), name), func(ctx context.Context, _ component.Step) error {
		readings, err = sourcer.Read(ctx, keys)
		return err
	})
	if err == nil && len(readings) != len(keys) {
		err = fmt.Errorf("reading from %s: %d answers to %d questions", name, len(readings), len(keys))
	}
	if err != nil {
		return nil, err
	}
	e.opened.count(name, len(readings))
	for _, reading := range readings {
		if !reading.Public {
			e.mask(reading.Text)
		}
	}
	return readings, nil
}

// shortestPart is the length from which a part of a secret document is masked
// by itself. Shorter ones are words such as "true", that mean nothing alone.
const shortestPart = 6

// mask makes a secret known, and what it is made of if it is a document: parts
// of it can show up alone.
func (e *Engine) mask(text secret.Text) {
	e.Secrets.Add(text)
	var document any
	if json.Unmarshal([]byte(text.Reveal()), &document) == nil {
		e.maskParts(document)
	}
}

func (e *Engine) maskParts(part any) {
	switch part := part.(type) {
	case string:
		if len(part) >= shortestPart {
			e.Secrets.Add(secret.Text(part))
		}
	case map[string]any:
		for _, inner := range part {
			e.maskParts(inner)
		}
	case []any:
		for _, inner := range part {
			e.maskParts(inner)
		}
	}
}

// count is a number of things in words: "1 value", "3 values".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
