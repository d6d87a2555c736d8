package docker

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Logs implements [component.Platform]. How a container ended is its last
// line.
func (p *platform) Logs(ctx context.Context, t component.Target[Deployment], req component.LogRequest) iter.Seq2[component.LogLine, error] {
	return func(yield func(component.LogLine, error) bool) {
		c, err := p.running(ctx, t)
		if err != nil {
			yield(component.LogLine{}, err)
			return
		}
		for line, err := range p.lines(ctx, c.ID, req) {
			line.Instance = t.ID
			if !yield(line, err) || err != nil {
				return
			}
		}
		c, err = p.inspect(ctx, c.ID)
		if err != nil || c == nil || c.State.Running || c.State.Status == container.StateCreated {
			return // what it wrote was yielded; an end that nobody knows of is no event
		}
		ended, err := time.Parse(time.RFC3339Nano, c.State.FinishedAt)
		if err == nil && !ended.Before(req.Since) {
			yield(component.LogLine{Time: ended, Text: "container " + howItEnded(c.State)}, nil)
		}
	}
}

// lines yields what a container wrote to its two streams, in one order.
func (p *platform) lines(ctx context.Context, id string, req component.LogRequest) iter.Seq2[component.LogLine, error] {
	return func(yield func(component.LogLine, error) bool) {
		options := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: req.Follow}
		if !req.Since.IsZero() {
			options.Since = req.Since.Format(time.RFC3339Nano)
		}
		if req.Tail > 0 {
			options.Tail = strconv.Itoa(req.Tail)
		}
		stream, err := p.engine.ContainerLogs(ctx, id, options)
		if err != nil {
			yield(component.LogLine{}, p.engine.explain(ctx, "reading logs", err))
			return
		}
		defer stream.Close()
		out := &lineWriter{yield: yield}
		errs := &lineWriter{yield: yield}
		_, err = stdcopy.StdCopy(out, errs, stream)
		if errors.Is(err, errStop) {
			return
		}
		if !out.flush() || !errs.flush() {
			return
		}
		// The end of ctx closes the stream, which may look like its own end.
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			yield(component.LogLine{}, p.engine.explain(ctx, "reading logs", err))
		}
	}
}

// errStop ends copying because nobody wants more lines.
var errStop = errors.New("enough lines")

// lineWriter yields the lines that are written to it. Each begins with the
// engine's time stamp.
type lineWriter struct {
	yield   func(component.LogLine, error) bool
	partial []byte
}

// Write implements [io.Writer].
func (w *lineWriter) Write(p []byte) (int, error) {
	w.partial = append(w.partial, p...)
	for {
		line, rest, complete := bytes.Cut(w.partial, []byte("\n"))
		if !complete {
			return len(p), nil
		}
		w.partial = rest
		if !w.yield(parseLine(string(line)), nil) {
			return 0, errStop
		}
	}
}

// flush yields what was written after the last line's end.
func (w *lineWriter) flush() (more bool) {
	return len(w.partial) == 0 || w.yield(parseLine(string(w.partial)), nil)
}

func parseLine(line string) component.LogLine {
	stamp, text, _ := strings.Cut(line, " ")
	written, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return component.LogLine{Text: line}
	}
	return component.LogLine{Time: written, Text: strings.TrimSuffix(text, "\r")}
}
