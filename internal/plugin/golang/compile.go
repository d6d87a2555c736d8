package golang

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// tailBytes is the most that a problem repeats of what the compiler said.
const tailBytes = 4 << 10

// compile writes the program of the app's package.
func (b *builder) compile(ctx context.Context, program, dir, target string, out io.Writer) error {
	environ, err := b.environ()
	if err != nil {
		return err
	}
	args := slices.Concat([]string{"build", "-trimpath", "-o", target}, b.cfg.Flags, []string{"--", cmp.Or(b.cfg.Package, ".")})
	said := &bytes.Buffer{}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, environ
	cmd.Stdout, cmd.Stderr = out, io.MultiWriter(out, said)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the compiler's own processes end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	err = cmd.Run()
	exit, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case failed:
		text := said.String()
		text = strings.ToValidUTF8(text[max(0, len(text)-tailBytes):], "\uFFFD")
		return &diag.Problem{
			Summary: "The Go program does not compile",
			Detail:  fmt.Sprintf("go build ended with %v and said:\n%s", exit, strings.TrimSpace(text)),
			Attr:    "package",
		}
	case err != nil:
		return fmt.Errorf("running %s: %w", program, err)
	}
	return nil
}
