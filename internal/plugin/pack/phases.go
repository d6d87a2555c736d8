package pack

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/buildpacks/pack/pkg/logging"

	"github.com/deploy-action/deploy-action/internal/component"
)

// firstPhase is what is shown before the lifecycle names a phase: the images
// are pulled, and the builder is given its settings.
const firstPhase = "Preparing"

var (
	// headings announce a phase.
	headings = regexp.MustCompile(`^===> ([A-Z][A-Z ()]+)$`)
	// prefixes stand before each line of a phase that has its own container.
	prefixes = regexp.MustCompile(`^\[(analyzer|detector|restorer|builder|exporter|extender \((build|run)\))\] `)
	// colors are sequences for terminals.
	colors = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
)

// tailBytes is the most that a problem repeats of what a phase said.
const tailBytes = 4 << 10

// phases is pack's logger. It shows the phases of a build as steps, one after
// the other, each with what was written during it.
type phases struct {
	show  func(name string, fn func(component.Step) error) error // as one step
	debug func(text string)

	mu      sync.Mutex
	name    string // of the phase that runs; "" before the first and after the last
	step    runningStep
	rest    []byte // a line that has no end yet
	said    []byte // the end of what the phase wrote
	results []string
}

// runningStep is a step whose function waits for the end of the phase.
type runningStep struct {
	output io.Writer
	finish chan error
	done   chan struct{}
}

var _ logging.Logger = (*phases)(nil)

// begin ends the phase that runs, well, and begins another one.
func (p *phases) begin(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start(name)
}

// end ends the phase that runs, with the error of the build. What is written
// from then on is dropped. It returns the phase's name and the end of what it
// wrote.
func (p *phases) end(err error) (name, said string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.rest) > 0 {
		p.line(string(p.rest))
		p.rest = nil
	}
	name, said = p.name, strings.TrimSpace(strings.ToValidUTF8(string(p.said), "\uFFFD"))
	p.stop(err)
	return name, said
}

// tried are the buildpacks that looked at the app, each with what came of it, as
// in "fail: paketo/go@1.2.3".
func (p *phases) tried() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.results
}

func (p *phases) start(name string) {
	p.stop(nil)
	step := runningStep{finish: make(chan error), done: make(chan struct{})}
	begun := make(chan io.Writer, 1)
	go func() {
		defer close(step.done)
		// The error is the one that it was finished with.
		_ = p.show(name, func(s component.Step) error {
			begun <- s.Output()
			return <-step.finish
		})
	}()
	step.output = <-begun
	p.name, p.step, p.said = name, step, nil
}

func (p *phases) stop(err error) {
	if p.name == "" {
		return
	}
	p.step.finish <- err
	<-p.step.done
	p.name = ""
}

// Write takes what a container says.
func (p *phases) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, data...)
	for {
		line, rest, whole := bytes.Cut(p.rest, []byte("\n"))
		if !whole {
			return len(data), nil
		}
		p.rest = rest
		p.line(string(line))
	}
}

// result is a line of the detection that says what came of a buildpack.
var result = regexp.MustCompile(`^(?:pass|fail|skip|err): +\S+$`)

// line takes one line: a heading, or output of the phase.
func (p *phases) line(text string) {
	text = strings.TrimRight(colors.ReplaceAllString(text, ""), "\r\n ")
	if p.name == "" {
		return // after the end
	}
	if heading := headings.FindStringSubmatch(text); heading != nil {
		p.start(heading[1][:1] + strings.ToLower(heading[1][1:]))
		return
	}
	text = prefixes.ReplaceAllString(text, "")
	if came := strings.Join(strings.Fields(text), " "); result.MatchString(text) && !slices.Contains(p.results, came) {
		p.results = append(p.results, came)
	}
	fmt.Fprintln(p.step.output, text)
	p.said = fmt.Appendln(p.said, text)
	p.said = p.said[max(0, len(p.said)-tailBytes):]
}

// Info implements [logging.Logger], as the others below do.
func (p *phases) Info(text string) { fmt.Fprintln(p, text) }

// Infof is Info with a format.
func (p *phases) Infof(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// Warn says what most builds can ignore.
func (p *phases) Warn(text string) { p.debug("warning: " + text) }

// Warnf is Warn with a format.
func (p *phases) Warnf(format string, args ...any) { p.Warn(fmt.Sprintf(format, args...)) }

// Error says what else went wrong beside the error that the build returns.
func (p *phases) Error(text string) { fmt.Fprintln(p, text) }

// Errorf is Error with a format.
func (p *phases) Errorf(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// Debug is for maintainers.
func (p *phases) Debug(text string) { p.debug(text) }

// Debugf is Debug with a format.
func (p *phases) Debugf(format string, args ...any) { p.debug(fmt.Sprintf(format, args...)) }

// Writer is what containers write to.
func (p *phases) Writer() io.Writer { return p }

// IsVerbose makes the lifecycle say more, to everybody.
func (p *phases) IsVerbose() bool { return false }
