package awslambda

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// streamsRead is how many log streams are read, the latest: as many as one
// request may name. Each instance of a function has its own.
const streamsRead = 100

// Following looks again after a pause, and at the time before the last line too,
// since lines come to CloudWatch in no order.
const (
	lookAgain = 2 * time.Second
	lateness  = 30 * time.Second
)

// Logs implements [component.Platform].
func (p *platform) Logs(ctx context.Context, t component.Target[Deployment], req component.LogRequest) iter.Seq2[component.LogLine, error] {
	return func(yield func(component.LogLine, error) bool) {
		c, err := p.client(ctx)
		if err != nil {
			yield(component.LogLine{}, err)
			return
		}
		version, err := p.live(ctx, c, t)
		if err != nil || version == nil {
			if err != nil {
				yield(component.LogLine{}, err)
			}
			return
		}
		r := &reader{
			client: c, group: logGroup(sdk.ToString(version.Configuration.FunctionName)),
			mark: "[" + sdk.ToString(version.Configuration.Version) + "]", since: req.Since, seen: map[string]time.Time{},
		}
		if conf := version.Configuration.LoggingConfig; conf != nil && conf.LogGroup != nil {
			r.group = *conf.LogGroup
		}
		r.run(ctx, req, yield)
	}
}

// reader reads what the instances of one version write.
type reader struct {
	*client
	group string
	mark  string // in the name of a stream: the version
	since time.Time
	seen  map[string]time.Time // events that the next look may find again
}

func (r *reader) run(ctx context.Context, req component.LogRequest, yield func(component.LogLine, error) bool) {
	read := r.all
	if req.Tail > 0 {
		read = func(ctx context.Context, streams []string) ([]event, error) { return r.last(ctx, streams, req.Tail) }
	}
	for {
		streams, err := r.streams(ctx)
		var events []event
		if err == nil && len(streams) > 0 {
			events, err = read(ctx, streams)
		}
		if err != nil {
			yield(component.LogLine{}, err)
			return
		}
		for _, e := range r.fresh(events) {
			if !yield(e.LogLine, nil) {
				return
			}
		}
		if !req.Follow || retry.Sleep(ctx, lookAgain) != nil {
			return
		}
		read = r.all
	}
}

// event is a line with its identity.
type event struct {
	component.LogLine
	id string
}

// fresh returns what was not seen yet, in order, and sets from when the next
// look begins.
func (r *reader) fresh(events []event) []event {
	slices.SortStableFunc(events, func(a, b event) int { return a.Time.Compare(b.Time) })
	var unseen []event
	for _, e := range events {
		if r.seen[e.id].IsZero() {
			unseen = append(unseen, e)
		}
	}
	for _, e := range unseen {
		r.seen[e.id] = e.Time
	}
	if len(events) > 0 {
		if next := events[len(events)-1].Time.Add(-lateness); next.After(r.since) {
			r.since = next
		}
		maps.DeleteFunc(r.seen, func(_ string, written time.Time) bool { return written.Before(r.since) })
	}
	return unseen
}

// streams returns the names of the streams of the version, the latest first.
func (r *reader) streams(ctx context.Context) ([]string, error) {
	var names []string
	pages := cloudwatchlogs.NewDescribeLogStreamsPaginator(r.logs, &cloudwatchlogs.DescribeLogStreamsInput{
		LogGroupName: &r.group, OrderBy: types.OrderByLastEventTime, Descending: new(true),
	})
	for pages.HasMorePages() && len(names) < streamsRead {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, ignore(err, noLogs)
		}
		for _, stream := range page.LogStreams {
			// AWS tells the time of the last line an hour late at worst.
			if last := stream.LastIngestionTime; last != nil && time.UnixMilli(*last).Add(time.Hour).Before(r.since) {
				return names, nil
			}
			if name := sdk.ToString(stream.LogStreamName); strings.Contains(name, r.mark) && len(names) < streamsRead {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// all returns all lines since the time that the reader has come to.
func (r *reader) all(ctx context.Context, streams []string) ([]event, error) {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &r.group, LogStreamNames: streams}
	if !r.since.IsZero() {
		in.StartTime = new(r.since.UnixMilli())
	}
	var events []event
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(r.logs, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, ignore(err, noLogs)
		}
		for _, e := range page.Events {
			events = append(events, line(sdk.ToString(e.LogStreamName), sdk.ToInt64(e.Timestamp), sdk.ToString(e.Message)))
		}
	}
	return events, nil
}

// last returns the last lines of each stream.
func (r *reader) last(ctx context.Context, streams []string, count int) ([]event, error) {
	lines := make([][]event, len(streams))
	calls, inner := errgroup.WithContext(ctx)
	calls.SetLimit(8)
	for i, stream := range streams {
		calls.Go(func() error {
			in := &cloudwatchlogs.GetLogEventsInput{
				LogGroupName: &r.group, LogStreamName: &stream, Limit: new(int32(min(count, 10000))), StartFromHead: new(false),
			}
			if !r.since.IsZero() {
				in.StartTime = new(r.since.UnixMilli())
			}
			page, err := r.logs.GetLogEvents(inner, in)
			if err != nil {
				return ignore(err, noLogs)
			}
			for _, e := range page.Events {
				lines[i] = append(lines[i], line(stream, sdk.ToInt64(e.Timestamp), sdk.ToString(e.Message)))
			}
			return nil
		})
	}
	err := calls.Wait()
	return slices.Concat(lines...), err
}

// line makes a line of what CloudWatch keeps. The two calls that read lines name
// them differently, so their content is their identity.
func line(stream string, written int64, message string) event {
	e := event{LogLine: component.LogLine{
		Time: time.UnixMilli(written).UTC(), Instance: stream[strings.LastIndexByte(stream, ']')+1:], Text: strings.TrimRight(message, "\r\n"),
	}}
	e.id = stream + " " + e.Time.String() + " " + e.Text
	return e
}
