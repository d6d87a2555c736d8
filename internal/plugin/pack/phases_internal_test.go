package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/buildpacks/lifecycle/buildpack"
	"github.com/buildpacks/lifecycle/launch"
	"github.com/buildpacks/pack/pkg/client"
	"github.com/google/go-cmp/cmp"
	ignore "github.com/sabhiram/go-gitignore"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// screen shows steps in one text.
type screen struct{ bytes.Buffer }

func (s *screen) show(name string, fn func(component.Step) error) error {
	fmt.Fprintf(s, "+ %s\n", name)
	err := fn(s)
	fmt.Fprintf(s, "- %s: %v\n", name, err)
	return err
}
func (s *screen) Update(string, ...any) {}
func (s *screen) Output() io.Writer     { return s }

func newPhases() (*phases, *screen) {
	s := &screen{}
	return &phases{show: s.show, debug: func(string) {}}, s
}

// TestPhases shows the steps that the lifecycle's output becomes.
func TestPhases(t *testing.T) {
	t.Parallel()
	p, s := newPhases()
	p.begin(firstPhase)
	p.Info("pulling")
	p.Warn("of no interest")
	p.Info("\x1b[36m===> DETECTING\x1b[0m")
	fmt.Fprint(p, "[\x1b[36mdetector\x1b[0m] one\n[detector] two, in ")
	fmt.Fprint(p, "two parts\r\n===> not a heading\n")
	p.Info("===> EXTENDING (BUILD)")
	fmt.Fprint(p, "no end")
	failed := errors.New("failed")
	name, said := p.end(failed)
	fmt.Fprint(p, "too late\n===> TOO LATE\n")
	want := `+ Preparing
pulling
- Preparing: <nil>
+ Detecting
one
two, in two parts
===> not a heading
- Detecting: <nil>
+ Extending (build)
no end
- Extending (build): failed
`
	if diff := cmp.Diff(want, s.String()); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	if name != "Extending (build)" || said != "no end" {
		t.Errorf("end = %q, %q, want the phase and what it said", name, said)
	}
}

func TestPhasesKeepTheEnd(t *testing.T) {
	t.Parallel()
	p, _ := newPhases()
	p.begin(firstPhase)
	for i := range 2000 {
		p.Infof("line %d", i)
	}
	_, said := p.end(nil)
	if len(said) > tailBytes || !strings.HasSuffix(said, "\nline 1999") {
		t.Errorf("%d bytes are kept, which end with %q", len(said), said[len(said)-20:])
	}
}

// TestProblems shows what users read when a build fails.
func TestProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		said    []string
		status  int64
		summary string
		detail  []string
	}{
		"nothing fits": {
			[]string{"===> DETECTING", "======== Results ========", "fail: acme/go@1.2.3", "skip: acme/node@2", "fail: acme/go@1.2.3", "ERROR: No buildpack groups passed detection."},
			20, "No buildpack fits",
			[]string{`of the builder "heroku/buildpacks:20" that were tried said: fail: acme/go@1.2.3, skip: acme/node@2.`, "Set path in the app"},
		},
		"nothing fits, nothing said": {[]string{"===> DETECTING"}, 100, "No buildpack fits", []string{"No group of buildpacks is for this app. "}},
		"a buildpack fails": {
			[]string{"===> DETECTING", "fine", "===> BUILDING", "cannot find module"},
			51, "The buildpacks did not make an image",
			[]string{`The phase "Building" ended with an error (failed with status code: 51)`, "\ncannot find module"},
		},
		"no image": {nil, 0, "The build with buildpacks cannot begin", []string{`The builder is "heroku/buildpacks:20"`, "registry-auth", "the engine must have them already"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s := newPhases()
			p.begin(firstPhase)
			for _, line := range c.said {
				p.Info(line)
			}
			b := &builder{cfg: BuilderConfig{PullPolicy: "never"}}
			err := b.explain(t.Context(), &engine{status: c.status}, p, fmt.Errorf("failed with status code: %d", c.status))
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Summary != c.summary {
				t.Fatalf("explain = %v, want the problem %q", err, c.summary)
			}
			for _, want := range c.detail {
				if !strings.Contains(problem.Detail, want) {
					t.Errorf("the problem says:\n%s\nwhich lacks %q", problem.Detail, want)
				}
			}
			if !strings.HasSuffix(s.String(), fmt.Sprintf("failed with status code: %d\n", c.status)) {
				t.Errorf("the last step did not fail:\n%s", s)
			}
		})
	}
}

func TestInterruption(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	p, _ := newPhases()
	p.begin(firstPhase)
	if err := (&builder{}).explain(ctx, &engine{}, p, errors.New("failed")); err != stopped {
		t.Errorf("explain = %v, want the cause", err)
	}
}

// TestIgnored shows which files buildpacks are not given, in the hands of the
// library that pack gives the patterns to.
func TestIgnored(t *testing.T) {
	t.Parallel()
	files := []string{"main.go", ".gitignore", ".git/HEAD", ".git/config", "lib/.git/config", ".git/modules/lib/config", "tmp/x", "tmp/keep"}
	for name, c := range map[string]struct{ patterns, left []string }{
		"none":           {nil, []string{"main.go", ".gitignore", "tmp/x", "tmp/keep"}},
		"own":            {[]string{"tmp/*", "!tmp/keep"}, []string{"main.go", ".gitignore", "tmp/keep"}},
		"history wanted": {[]string{"!.git", "tmp/"}, []string{"main.go", ".gitignore", ".git/HEAD"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			matcher := ignore.CompileIgnoreLines(ignored(c.patterns)...)
			var left []string
			for _, file := range files {
				if !matcher.MatchesPath(file) {
					left = append(left, file)
				}
			}
			if diff := cmp.Diff(c.left, left); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"https_proxy": "http://proxy:3128", "GITHUB_TOKEN": "t0ken", "SOURCE_DATE_EPOCH": "86400"}
	no := false
	b := &builder{
		host: component.Host{Getenv: func(name string) string { return environ[name] }},
		cfg: BuilderConfig{
			Buildpacks: []string{"from=builder"}, StaticEnvironment: map[string]secret.Text{"BP_X": "1"}, TrustBuilder: &no, ProcessType: "web",
		},
	}
	app := component.App{Project: "shop", Name: "web", Path: "/src/web"}
	first, second := b.names(app), b.names(app)
	options, err := b.options(app, first, "unix:///x")
	if err != nil {
		t.Fatal(err)
	}
	if first.image == second.image || first.previous != second.previous || first.volume != second.volume {
		t.Errorf("two builds have the names %+v and %+v, want images of their own and the rest in common", first, second)
	}
	b.host.CacheScope.Write = "pr-7"
	if request := b.names(app); request.previous == first.previous || request.volume == first.volume {
		t.Errorf("a pull request has the names %+v, of which others have some", request)
	}
	if options.Builder != defaultBuilder || options.AppPath != "/src/web" || options.TrustBuilder("x") || options.Publish ||
		options.CreationTime.Unix() != 86400 || options.ProxyConfig.HTTPSProxy != "http://proxy:3128" ||
		options.Cache.Build.Source != first.volume+".build" || options.GroupID >= 0 || options.UserID >= 0 {
		t.Errorf("options = %+v", options)
	}
	if diff := cmp.Diff(map[string]string{"BP_X": "1"}, options.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	environ["SOURCE_DATE_EPOCH"] = "soon"
	if _, err := b.options(app, first, ""); err == nil {
		t.Error("SOURCE_DATE_EPOCH may be anything")
	}
}

func TestSocketForContainers(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"unix:///run/user/1000/docker.sock": "unix:///run/user/1000/docker.sock",
		"tcp://docker:2376":                 "", // the containers run there
	} {
		if got := (&engine{address: address}).socket(); got != want {
			t.Errorf("socket of %s = %q, want %q", address, got, want)
		}
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	info := &client.ImageInfo{
		StackID:    "heroku-20",
		Buildpacks: []buildpack.GroupElement{{ID: "heroku/nodejs-engine"}, {ID: "heroku/procfile"}, {ID: "go"}},
		Processes: client.ProcessDetails{OtherProcesses: []launch.Process{
			{Type: "worker", Command: launch.NewRawCommand([]string{"node"}), Args: []string{strings.Repeat("é", 200)}},
		}},
	}
	want := map[string]string{
		"common/languages": "nodejs-engine,go", "common/buildpack-stack": "heroku-20", "common/image-id": "sha256:1",
		"common/command": "node " + strings.Repeat("é", 125), "common/command-type": "worker",
	}
	if diff := cmp.Diff(want, labels(info, "sha256:1")); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"common/image-id": "sha256:1"}, labels(&client.ImageInfo{}, "sha256:1")); diff != "" {
		t.Errorf("labels of an image without any (-want +got):\n%s", diff)
	}
}
