package awsecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// Logs implements [component.Platform]: what the containers wrote, with the
// service's events and the ends of tasks among it.
func (p *platform) Logs(ctx context.Context, t component.Target[Deployment], req component.LogRequest) iter.Seq2[component.LogLine, error] {
	return func(yield func(component.LogLine, error) bool) {
		w, err := p.begin(ctx, t.App, t.Deployment)
		if err != nil {
			yield(component.LogLine{}, err)
			return
		}
		r := w.reader(p, t, req)
		for {
			lines, err := r.next(ctx)
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
			if err == nil && req.Follow {
				err = retry.Sleep(ctx, w.pace)
			} else if err == nil {
				return
			}
			if err != nil {
				yield(component.LogLine{}, err)
				return
			}
		}
	}
}

// reader reads the logs of one deployment, a part at a time.
type reader struct {
	*work
	req           component.LogRequest
	group, prefix string
	service       string
	revision      string // the only one whose tasks are read; "" where the prefix says it
	id            string // of the deployment, for a service of its own
	read          bool   // it was read before: what is asked for now is what came since
	events        time.Time
	tokens        map[string]*string // where each stream goes on
	told          map[string]bool    // tasks whose end was told
}

func (w *work) reader(p *platform, t component.Target[Deployment], req component.LogRequest) *reader {
	d := t.Deployment
	r := &reader{
		work: w, req: req, group: d.LogGroup, prefix: d.LogPrefix, service: cmp.Or(d.Service, t.ID), id: t.ID,
		events: req.Since, tokens: map[string]*string{}, told: map[string]bool{},
	}
	if p.existing(d) {
		r.service, r.revision, r.id = w.serviceName(d), d.TaskDefinition, ""
	} else if r.group == "" {
		r.group, r.prefix = w.cfg.logGroup(), w.logPrefix(t.ID)
	}
	return r
}

// next returns what there is since the last time, oldest first.
func (r *reader) next(ctx context.Context) ([]component.LogLine, error) {
	s, err := r.describeService(ctx, r.service)
	if err != nil {
		return nil, err
	}
	if s != nil && r.id != "" && !r.owns(s, r.id) {
		s = nil
	}
	var tasks []ecstypes.Task
	if s != nil {
		if tasks, err = r.allTasks(ctx); err != nil {
			return nil, err
		}
	}
	streams, err := r.streams(ctx, tasks)
	if err != nil {
		return nil, err
	}
	if s == nil && len(streams) == 0 && !r.read {
		return nil, &diag.Problem{
			Summary: "No such service",
			Detail:  fmt.Sprintf("The cluster %q has no service %q of this deployment, and no log of it is left.", r.cluster, r.service),
		}
	}
	lines, err := r.lines(ctx, streams)
	if err != nil {
		return nil, err
	}
	if s != nil {
		lines = append(lines, r.happened(s, tasks)...)
	}
	r.read = true
	slices.SortStableFunc(lines, func(a, b component.LogLine) int { return a.Time.Compare(b.Time) })
	return lines, nil
}

// allTasks returns the tasks that run, and those that ended within the hour.
func (r *reader) allTasks(ctx context.Context) ([]ecstypes.Task, error) {
	var all [2][]ecstypes.Task
	group, inner := errgroup.WithContext(ctx)
	for i, status := range []ecstypes.DesiredStatus{ecstypes.DesiredStatusRunning, ecstypes.DesiredStatusStopped} {
		group.Go(func() (err error) {
			all[i], err = r.tasks(inner, r.service, status)
			return err
		})
	}
	err := group.Wait()
	return slices.DeleteFunc(slices.Concat(all[0], all[1]), func(t ecstypes.Task) bool {
		return r.revision != "" && sdk.ToString(t.TaskDefinitionArn) != r.revision
	}), err
}

// mostStreams is how many streams are read: those that were written last.
const mostStreams = 50

// streams returns the names of the streams of a deployment.
func (r *reader) streams(ctx context.Context, tasks []ecstypes.Task) ([]string, error) {
	if r.group == "" {
		return nil, nil // the service sends its output elsewhere
	}
	var found []types.LogStream
	pages := cloudwatchlogs.NewDescribeLogStreamsPaginator(r.logs, &cloudwatchlogs.DescribeLogStreamsInput{
		LogGroupName: &r.group, LogStreamNamePrefix: new(r.prefix + "/"),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		found = append(found, page.LogStreams...)
	}
	if r.revision != "" { // streams of other revisions' tasks are beside ours
		found = slices.DeleteFunc(found, func(s types.LogStream) bool {
			return !slices.ContainsFunc(tasks, func(t ecstypes.Task) bool {
				return short(sdk.ToString(t.TaskArn)) == short(sdk.ToString(s.LogStreamName))
			})
		})
	}
	slices.SortFunc(found, func(a, b types.LogStream) int {
		return cmp.Compare(sdk.ToInt64(b.LastEventTimestamp), sdk.ToInt64(a.LastEventTimestamp))
	})
	var names []string
	for _, s := range found[:min(mostStreams, len(found))] {
		names = append(names, sdk.ToString(s.LogStreamName))
	}
	return names, nil
}

// lines reads what is new in all streams.
func (r *reader) lines(ctx context.Context, streams []string) ([]component.LogLine, error) {
	parts, tokens := make([][]component.LogLine, len(streams)), make([]*string, len(streams))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(looks)
	for i, name := range streams {
		group.Go(func() (err error) {
			parts[i], tokens[i], err = r.stream(inner, name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, name := range streams {
		r.tokens[name] = tokens[i]
	}
	return slices.Concat(parts...), nil
}

// stream reads what is new in one stream, and returns where it goes on.
func (r *reader) stream(ctx context.Context, name string) (lines []component.LogLine, token *string, err error) {
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &r.group, LogStreamName: &name, StartFromHead: new(true), NextToken: r.tokens[name]}
	if !r.req.Since.IsZero() {
		in.StartTime = new(r.req.Since.UnixMilli())
	}
	tail := r.req.Tail > 0 && !r.read
	if tail {
		in.StartFromHead, in.Limit = new(false), new(int32(min(r.req.Tail, 10000)))
	}
	for {
		out, err := r.logs.GetLogEvents(ctx, in)
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
			return lines, token, nil
		}
		if err != nil {
			return nil, nil, err
		}
		for _, e := range out.Events {
			lines = append(lines, component.LogLine{
				Time: time.UnixMilli(sdk.ToInt64(e.Timestamp)), Instance: strings.TrimPrefix(name, r.prefix+"/"), Text: sdk.ToString(e.Message),
			})
		}
		// The end of a stream is a token that leads to itself.
		last := tail || sdk.ToString(out.NextForwardToken) == sdk.ToString(in.NextToken)
		in.NextToken, token = out.NextForwardToken, out.NextForwardToken
		if last {
			return lines, token, nil
		}
	}
}

// happened returns the service's events, and the ends of tasks, that were not
// told yet.
func (r *reader) happened(s *ecstypes.Service, tasks []ecstypes.Task) []component.LogLine {
	var lines []component.LogLine
	latest := r.events
	for _, e := range s.Events {
		if at := sdk.ToTime(e.CreatedAt); at.After(r.events) {
			lines = append(lines, component.LogLine{Time: at, Text: sdk.ToString(e.Message)})
			if at.After(latest) {
				latest = at
			}
		}
	}
	r.events = latest
	for _, t := range tasks {
		arn, at := sdk.ToString(t.TaskArn), sdk.ToTime(t.StoppedAt)
		if at.IsZero() || r.told[arn] || at.Before(r.req.Since) {
			continue
		}
		r.told[arn] = true
		lines = append(lines, component.LogLine{Time: at, Text: "task " + strings.TrimSpace(described([]ecstypes.Task{t})[0])})
	}
	return lines
}
