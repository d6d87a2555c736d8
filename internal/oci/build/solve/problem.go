package solve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/moby/buildkit/solver/pb"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build/cache"
	"github.com/deploy-action/deploy-action/internal/oci/build/failure"
	"github.com/deploy-action/deploy-action/internal/oci/build/graph"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// locate adds a step's line to what is wrong with it.
func (s *solver) locate(step *graph.Step, err error) error {
	line := s.line(step)
	if _, broken := errors.AsType[*cache.BrokenError](err); broken || line == 0 {
		return err
	}
	at := fmt.Sprintf("%s:%d: ", s.File, line)
	problem, ok := errors.AsType[*diag.Problem](err)
	switch {
	case !ok:
		return fmt.Errorf("%s%w", at, err)
	case strings.HasPrefix(problem.Detail, s.File+":"):
		return err
	}
	located := *problem
	located.Detail = at + problem.Detail
	return &located
}

// line returns where a step begins, or else the first that needs it: what ADD
// downloads is a step without a line of its own. It is 0 if nobody knows.
func (s *solver) line(step *graph.Step) int {
	if len(step.Lines) > 0 {
		return step.Lines[0].First
	}
	for _, user := range s.Graph.Steps {
		for _, in := range user.Inputs {
			if in.Step == step && len(user.Lines) > 0 {
				return user.Lines[0].First
			}
		}
	}
	return 0
}

// refused describes what this engine cannot do.
func refused(what, instead string) error {
	return &diag.Problem{
		Summary: what + " is not supported",
		Detail:  fmt.Sprintf("The built-in engine cannot do that; %s.", instead),
	}
}

// withBuildKit is the remedy for what only another engine can honour, and only
// where it is told to on its command line.
const withBuildKit = "BuildKit can: build with docker buildx in a step before, and name the image with use \"docker-ref\""

// refuse stops a command that asks for what no sandbox honours.
func refuse(step *graph.Step, op *pb.ExecOp) error {
	switch {
	case len(op.Mounts) == 0 || op.Mounts[0].Dest != "/" || op.Mounts[0].MountType != pb.MountType_BIND:
		return errors.New("building: a command has no root to run in")
	case op.Network == pb.NetMode_NONE:
		return refused("RUN --network=none", "BuildKit can: set engine to \"docker\" or \"buildkit\"")
	case op.Security == pb.SecurityMode_INSECURE:
		return refused("RUN --security=insecure", withBuildKit)
	case len(op.CdiDevices) > 0:
		return refused("RUN --device", withBuildKit)
	}
	for _, m := range op.Mounts {
		if m.MountType == pb.MountType_SSH && !m.SSHOpt.GetOptional() {
			return refused("RUN --mount=type=ssh", "pass a key or a token with --mount=type=secret and the attribute secrets")
		}
	}
	return foreign(step.Op.Platform)
}

// emulated are the processors that emulators have another name for.
var emulated = map[string]string{"amd64": "x86_64", "386": "i386", "arm64": "aarch64"}

// foreign refuses a command for a processor that this machine neither has nor
// emulates.
func foreign(p *pb.Platform) error {
	arch := p.GetArchitecture()
	if arch == "" || arch == runtime.GOARCH || runtime.GOARCH == "amd64" && arch == "386" {
		return nil
	}
	handler, err := os.ReadFile("/proc/sys/fs/binfmt_misc/qemu-" + cmp.Or(emulated[arch], arch))
	if err == nil && emulates(string(handler)) {
		return nil
	}
	return &diag.Problem{
		Summary: "RUN for another processor",
		Detail: fmt.Sprintf("The command is for %s/%s, and this machine runs %s. Run the job on a runner of that kind, begin the stage "+
			"with FROM --platform=$BUILDPLATFORM and cross-compile, or install an emulator in a step before (docker/setup-qemu-action).",
			p.GetOS(), arch, runtime.GOARCH),
		Attr: "platform",
	}
}

// emulates reports whether a handler of the kernel's binfmt_misc starts programs
// also in a root that has no emulator: it is enabled, and its flag F says that it
// was opened beforehand.
func emulates(handler string) bool {
	_, flags, _ := strings.Cut(handler, "\nflags:")
	flags, _, _ = strings.Cut(flags, "\n")
	return strings.HasPrefix(handler, "enabled\n") && strings.Contains(flags, "F")
}

// failed describes why a command did not end well.
func failed(ctx context.Context, step *graph.Step, err error, last *failure.Tail) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	exit, ok := errors.AsType[*sandbox.ExitError](err)
	if !ok {
		return err
	}
	how := fmt.Sprintf("ended with exit code %d", exit.Code)
	switch {
	case exit.Signal != 0:
		how = fmt.Sprintf("was ended by the signal %q", exit.Signal)
	case exit.Code == 128+int(syscall.SIGKILL):
		how += ": a process was killed, most often because memory ran out"
	}
	return failure.OfRun(instruction(step), how, last, err)
}

// instruction is a step's name without its number.
func instruction(step *graph.Step) string {
	if _, text, ok := strings.Cut(step.Name, "] "); ok && strings.HasPrefix(step.Name, "[") {
		return text
	}
	return step.Name
}

func (s *solver) missingSecret(id string) error {
	var names []string
	for name := range s.Secrets {
		names = append(names, name)
	}
	return &diag.Problem{
		Summary: "Missing build secret",
		Detail: fmt.Sprintf("The command needs the secret %q. Give it in the attribute secrets: a map from such names to values.%s",
			id, diag.Suggest(id, names)),
		Attr: "secrets",
	}
}

func missingSource(m *pb.Mount) error {
	return &diag.Problem{
		Summary: "Missing source of a mount",
		Detail:  fmt.Sprintf("What is to be mounted at %s has no %q. Correct the source of --mount.", m.Dest, m.Selector),
	}
}

// openSandbox finds out how commands can run on this machine, and says so.
func (s *solver) openSandbox(ctx context.Context) (*sandbox.Sandbox, error) {
	if err := os.MkdirAll(s.Sandbox.Work, 0o700); err != nil {
		return nil, fmt.Errorf("opening a sandbox: %w", err)
	}
	if err := rootfs.Usable(s.Work, false); err != nil {
		return nil, err
	}
	box, err := sandbox.Open(ctx, s.Sandbox)
	if err != nil {
		return nil, err
	}
	s.Note(fmt.Sprintf("Commands run with %s", box.Rung()))
	if box.Rung() != sandbox.Swap || s.Caches == "" {
		return box, nil
	}
	// Steps that need a cache may begin while another's command runs.
	if err := os.MkdirAll(s.Caches, 0o755); err != nil {
		return nil, fmt.Errorf("opening cache mounts: %w", err)
	}
	path, anchor, err := sandbox.Anchor(s.Caches)
	if err != nil {
		return nil, fmt.Errorf("opening cache mounts: %w", err)
	}
	s.Caches, s.anchor = path, anchor
	return box, nil
}
