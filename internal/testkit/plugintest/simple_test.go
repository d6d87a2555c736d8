package plugintest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// defect is a promise that the simple plugin breaks.
type defect string

// simple is a plugin of all kinds over a store of named things, with at most
// one defect. Its platform is immutable.
func simple(broken defect) component.Plugin {
	type config struct {
		Name string `hcl:"name"`
	}
	open := func(h component.Host) part { return part{h, broken} }
	return component.Plugin{
		Name: "simple",
		Platform: component.NewPlatform(func(h component.Host, _ config) (component.Platform[artifact.Image, thing], error) {
			return simplePlatform{open(h)}, nil
		}),
		Releaser: component.NewReleaser(func(h component.Host, _ config) (component.Releaser[thing, address], error) {
			return simpleReleaser{open(h)}, nil
		}),
		Builder: component.NewBuilder(func(h component.Host, _ config) (component.Builder[artifact.Image], error) {
			return simpleBuilder{open(h)}, nil
		}),
		Registry: component.NewRegistry(func(h component.Host, _ config) (component.Registry[artifact.Image], error) {
			return simpleRegistry{open(h)}, nil
		}),
		Sourcer: component.NewSourcer(func(h component.Host, _ config) (component.Sourcer, error) {
			return simpleSourcer{open(h)}, nil
		}),
	}
}

// store is the service: a text under each path, listed by prefix.
type store struct {
	mu     sync.Mutex
	things map[string]string
}

// RoundTrip implements [http.RoundTripper].
func (s *store) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, status, body := req.URL.Path, http.StatusOK, ""
	switch req.Method {
	case http.MethodPut:
		content, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		s.things[path] = string(content)
	case http.MethodDelete:
		delete(s.things, path)
	case http.MethodGet:
		for name, content := range s.things {
			if strings.HasPrefix(name, path) {
				body += name + " " + content + "\n"
			}
		}
		if body == "" {
			status = http.StatusNotFound
		}
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

// names lists the things below a prefix.
func (s *store) names(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.things {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}

// part is what the components of the simple plugin share.
type part struct {
	host   component.Host
	defect defect
}

// send makes a request and returns the lines of the answer.
func (p part) send(ctx context.Context, method, path, body string) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://store.test"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := p.host.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // nothing was written
	text, err := io.ReadAll(resp.Body)
	return slices.Sorted(strings.Lines(string(text))), err
}

// folder is the path of what an app has of one sort.
func folder(sort string, app component.App) string {
	return fmt.Sprintf("/%s/%s/%s/%s/", sort, app.Project, app.Name, app.Workspace)
}

// thing is the deployment.
type thing struct {
	Path   string `json:"path,omitempty"`
	Hidden string `json:"-"`
	Filler string `json:"filler,omitempty"`
}

func (t thing) Vars() map[string]cty.Value {
	return map[string]cty.Value{"path": cty.StringVal(t.Path)}
}
func (thing) URL() string        { return "" }
func (thing) Generation() string { return "" }

type simplePlatform struct{ part }

func (p simplePlatform) Plan(ctx context.Context, req component.DeployRequest[artifact.Image]) (component.Plan, error) {
	switch p.defect {
	case "plans with a write":
		_, err := p.send(ctx, http.MethodPut, folder("run", req.App)+"check", "")
		return component.Plan{Changes: []component.Change{{Action: component.Create, Subject: "thing"}}}, err
	case "plans nothing":
		return component.Plan{}, nil
	case "plans without a subject":
		return component.Plan{Changes: []component.Change{{Action: component.Create}}}, nil
	case "shows a secret in its plan":
		return component.Plan{Changes: []component.Change{
			{Action: component.Create, Subject: "thing", Diff: "+ " + req.Env["PLUGINTEST_SECRET"].Text.Reveal()},
		}}, nil
	}
	return component.Plan{Changes: []component.Change{{Action: component.Create, Subject: "thing"}}}, nil
}

func (p simplePlatform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Image]) (thing, error) {
	name := folder("run", req.App) + fmt.Sprintf("%03d-%s", req.Sequence, req.ID)
	made := thing{Path: name}
	switch p.defect {
	case "deploys anew each time":
		name += fmt.Sprintf("-%d", time.Now().UnixNano())
		made.Path = name
	case "returns nothing":
		made = thing{}
	case "returns what no record keeps":
		made.Hidden = "lost"
	case "returns too much":
		made.Filler = strings.Repeat("x", 20_000)
	}
	err := p.host.Progress.Step(ctx, "Deploying", func(ctx context.Context, step component.Step) error {
		if p.defect == "shows a secret in a step" {
			step.Update("with %s", req.Env["PLUGINTEST_SECRET"].Text.Reveal())
		}
		if _, err := p.send(ctx, http.MethodPut, name, "half"); err != nil {
			return err
		}
		_, err := p.send(ctx, http.MethodPut, name, req.Artifact.Reference())
		return err
	})
	switch {
	case err == nil:
	case p.defect == "forgets what it made":
		return thing{}, err
	case p.defect == "cleans up after the context ended":
		_, _ = p.send(context.WithoutCancel(ctx), http.MethodDelete, name, "")
	case p.defect == "shows a secret in an error":
		err = fmt.Errorf("with %s: %w", req.Env["PLUGINTEST_SECRET"].Text.Reveal(), err)
	}
	return made, err
}

func (p simplePlatform) Find(ctx context.Context, app component.App) ([]component.Target[thing], error) {
	where := folder("run", app)
	if p.defect == "finds what is others'" {
		where = "/run/" + app.Project + "/"
	}
	lines, err := p.send(ctx, http.MethodGet, where, "")
	var found []component.Target[thing]
	for _, line := range slices.Backward(lines) {
		path, content, _ := strings.Cut(strings.TrimSpace(line), " ")
		if p.defect == "finds no half-made deployments" && content == "half" {
			continue
		}
		var sequence int
		last := path[strings.LastIndex(path, "/")+1:]
		if _, err := fmt.Sscanf(last, "%03d-", &sequence); err != nil {
			return nil, err
		}
		found = append(found, component.Target[thing]{App: app, ID: last[4:], Sequence: sequence, Deployment: thing{Path: path}})
	}
	if p.defect == "finds the oldest first" {
		slices.Reverse(found)
	}
	return found, err
}

func (p simplePlatform) Restore(context.Context, component.RestoreRequest[thing]) (thing, error) {
	if p.defect == "restores nothing" {
		return thing{}, nil
	}
	return thing{}, errors.ErrUnsupported
}

func (p simplePlatform) Status(ctx context.Context, t component.Target[thing]) (component.Health, error) {
	lines, err := p.send(ctx, http.MethodGet, folder("run", t.App)+fmt.Sprintf("%03d-%s", t.Sequence, t.ID), "")
	switch {
	case p.defect == "knows what is missing":
	case len(lines) == 0:
		return component.Health{State: component.Missing}, err
	case strings.HasSuffix(lines[0], " half\n"):
		return component.Health{State: component.Starting}, err
	}
	return component.Health{State: component.Ready}, err
}

func (p simplePlatform) Logs(ctx context.Context, _ component.Target[thing], req component.LogRequest) iter.Seq2[component.LogLine, error] {
	return func(yield func(component.LogLine, error) bool) {
		for i := range 2 {
			if req.Tail == 1 && i == 0 && p.defect != "yields more than the tail" {
				continue
			}
			if p.defect == "yields lines out of order" {
				i = -i
			}
			if !yield(component.LogLine{Time: time.Unix(int64(i), 0), Instance: "one", Text: "line"}, nil) {
				return
			}
		}
		if req.Follow && p.defect != "does not follow" {
			<-ctx.Done()
		}
	}
}

func (p simplePlatform) Exec(context.Context, component.Target[thing], component.ExecRequest) (int, error) {
	if p.defect == "runs commands badly" {
		return 1, nil
	}
	return 0, nil
}

func (p simplePlatform) Destroy(ctx context.Context, t component.Target[thing]) error {
	if p.defect == "leaves everything" {
		return nil
	}
	name := folder("run", t.App) + fmt.Sprintf("%03d-%s", t.Sequence, t.ID)
	if p.defect == "believes every record" && t.Deployment.Path != "" {
		name = t.Deployment.Path
	}
	if p.defect == "needs what it destroys" {
		if lines, err := p.send(ctx, http.MethodGet, name, ""); err != nil || len(lines) == 0 {
			return errors.Join(err, errors.New("no such thing"))
		}
	}
	_, err := p.send(ctx, http.MethodDelete, name, "")
	return err
}

func (p simplePlatform) DestroyShared(context.Context, component.App) error {
	return errors.ErrUnsupported
}
