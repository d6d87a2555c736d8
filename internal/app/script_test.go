package app_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/deploy-action/deploy-action/internal/app"
)

// TestMain makes this binary the commands that scripts call. More tests run at
// once than there are processors, for many wait for processes that they started.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){
		"deploy-action":      program,
		"deploy-action-post": program,
	})
}

// program is deploy-action as main runs it.
func program() {
	limitFiles()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	os.Exit(app.Main(ctx, app.Sys{
		Args: os.Args, Environ: os.Environ(), Dir: dir,
		Stdin: os.Stdin, Stdout: signalled(os.Stdout), Stderr: os.Stderr,
		Self: func(ctx context.Context, args ...string) *exec.Cmd {
			cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
			cmd.Args[0] = "deploy-action"
			return cmd
		},
	}))
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("USER", "tester")
			hello, err := buildHello()
			if err != nil {
				return err
			}
			e.Setenv("HELLO", hello)
			e.Defer(func() { killBelow(t, e.WorkDir) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"get":   get,
		},
	})
}

// exits runs a program and compares its exit status: exits STATUS PROGRAM ARG…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s exited %d, want %d", args[1], got, want)
	}
}
