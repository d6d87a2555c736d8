package packer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// grace is how long Packer has to remove what it made for a build, a machine
// above all, after it was told to stop.
const grace = 2 * time.Minute

// image is one image that a build made.
type image struct{ build, id, region string }

// of reports whether a build of that name or type made the image. Packer names
// builds TYPE.NAME, or by the name alone.
func (i image) of(name string) bool {
	kind, own, _ := strings.Cut(i.build, ".")
	return i.build == name || kind == name || own == name
}

// String names an image for messages.
func (i image) String() string {
	if i.region == "" {
		return fmt.Sprintf("%s of build %s", i.id, i.build)
	}
	return fmt.Sprintf("%s in %s of build %s", i.id, i.region, i.build)
}

// process is a Packer to be run.
type process struct {
	program string
	dir     string
	environ []string
}

// packer runs Packer with args. Where made is not nil its output is for
// machines: what is in it for people goes to out, and the images to made.
func (p process) packer(ctx context.Context, out io.Writer, made *[]image, args ...string) error {
	cmd := exec.CommandContext(ctx, p.program, args...)
	cmd.Dir, cmd.Env = p.dir, p.environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // it tells its plugins, and cleans up
	cmd.WaitDelay = grace
	said := &output{out: out, made: made}
	cmd.Stderr = said
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.program, err)
	}
	read := said.read(stdout)
	err = cmd.Wait()
	if ctx.Err() != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of its plugins
		return context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &diag.Problem{
			Summary: "Packer failed",
			Detail:  fmt.Sprintf("packer %s ended with %v. It said:\n\n%s", args[0], exit, strings.Join(said.reasons(), "\n")),
			Attr:    "template",
		}
	}
	return errors.Join(err, read)
}

// output is what Packer writes, in its form for machines or in that for people.
type output struct {
	mu     sync.Mutex // of out, to which both its streams go
	out    io.Writer
	made   *[]image
	errs   []string // what it calls errors
	recent []string // the last lines
}

// keep is how many lines a problem repeats.
const keep = 20

// Write implements [io.Writer]: what Packer writes beside its output is shown
// as it is.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.out.Write(p)
}

// read reads all of a stream.
func (o *output) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		if o.made != nil {
			text = o.take(text)
		}
		if text == "" {
			continue
		}
		o.recent = append(o.recent, text)
		o.recent = o.recent[max(0, len(o.recent)-keep):]
		if _, err := fmt.Fprintln(o, text); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		_, _ = io.Copy(io.Discard, r) // so that Packer can end
		return fmt.Errorf("reading Packer's output: %w", err)
	}
	return nil
}

// take reads one line for machines, which is time, build, kind, data…, and
// returns what is for people in it.
// https://developer.hashicorp.com/packer/docs/commands#machine-readable-output
func (o *output) take(line string) string {
	fields := strings.Split(line, ",")
	if len(fields) < 4 {
		return line
	}
	for i, field := range fields {
		fields[i] = strings.NewReplacer("%!(PACKER_COMMA)", ",", `\n`, "\n", `\r`, "").Replace(field)
	}
	build, kind, data := fields[1], fields[2], fields[3:]
	switch {
	case kind == "ui" && len(data) > 1:
		if data[0] == "error" {
			o.errs = append(o.errs, data[1])
		}
		return data[1]
	case kind == "error":
		o.errs = append(o.errs, data[0])
	case kind == "artifact" && len(data) > 2 && data[1] == "id":
		*o.made = append(*o.made, images(build, data[2])...)
	}
	return ""
}

// reasons says why Packer failed: by what it calls errors, or by its last words.
func (o *output) reasons() []string {
	if len(o.errs) > 0 {
		return o.errs[max(0, len(o.errs)-keep):]
	}
	return o.recent
}

// amis is the ID of an artifact of Amazon's builders: an image in each region.
var amis = regexp.MustCompile(`^[a-z0-9-]+:ami-[0-9a-f]+(,[a-z0-9-]+:ami-[0-9a-f]+)*$`)

// images returns what the ID of an artifact names.
func images(build, id string) []image {
	if !amis.MatchString(id) {
		return []image{{build: build, id: id}}
	}
	var found []image
	for one := range strings.SplitSeq(id, ",") {
		region, ami, _ := strings.Cut(one, ":")
		found = append(found, image{build, ami, region})
	}
	return found
}
