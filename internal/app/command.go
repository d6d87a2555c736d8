package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/version"
)

// flags are what the command line says.
type flags struct {
	engine.Options
	session sessionOptions
	follow  bool
	tail    int
	since   string
	tty     bool
	list    bool
	prune   bool
	push    bool
	release bool
	format  formatFlags
	starter starterFlags
	records recordFlags
	matrix  matrixChoice
}

// execute runs the verb that args name and returns its exit status.
func (m *machine) execute(ctx context.Context, args []string) int {
	var (
		f      flags
		status int
	)
	root := commands(&f, func(v verb, words []string) {
		switch v.use {
		case "version":
			fmt.Fprintln(m.Stdout, version.String())
		case postVerb:
			if err := m.post(ctx); err != nil {
				m.runner.Warning(fmt.Sprintf("The post step could not finish: %v", err))
				status = exitFailed
			}
		default:
			status = m.run(ctx, &f, v, words)
		}
	})
	args = doubleDashes(args, func(name string) bool {
		return root.PersistentFlags().Lookup(name) != nil || hasFlag(root, name)
	})
	root.SetArgs(args)
	root.SetIn(m.Stdin)
	root.SetOut(m.Stdout)
	root.SetErr(m.Stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		return m.usage(root, args, err)
	}
	return status
}

// commands is the command line: a command for each verb, whose flags go to f,
// and which calls do with the words that are no flags.
func commands(f *flags, do func(v verb, words []string)) *cobra.Command {
	root := &cobra.Command{
		Use:           "deploy-action",
		Short:         "Build, deploy and release the apps of a waypoint.hcl",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	global(root, f)
	for _, v := range verbs {
		command := &cobra.Command{
			Use: v.use, Short: v.short, Hidden: v.hidden, Args: v.args,
			Long: help[v.name()].about, Example: help[v.name()].example,
			RunE: func(cmd *cobra.Command, words []string) error {
				if err := f.settle(cmd); err != nil {
					return err
				}
				do(v, words)
				return nil
			},
		}
		if v.args == nil {
			command.Args = noArguments
		}
		for _, add := range v.flags {
			add(command, f)
		}
		parent(root, v.under).AddCommand(command)
	}
	return root
}

// noArguments explains words that a verb does not take.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes no argument %q; to choose an app, say --app %s", c.Name(), args[0], args[0])
}

// appAndCommand explains what exec takes.
func appAndCommand(_ *cobra.Command, args []string) error {
	if len(args) >= 2 {
		return nil
	}
	return errors.New("exec takes the name of the app and a command, as in: deploy-action exec web -- ls /")
}

// anyWords leaves it to the verb to look at its words.
func anyWords(*cobra.Command, []string) error { return nil }

// usage explains a call that the command line does not allow.
func (m *machine) usage(root *cobra.Command, args []string, err error) int {
	hint := ""
	if len(args) > 0 && strings.HasPrefix(err.Error(), "unknown command") {
		var names []string
		for _, c := range root.Commands() {
			if !c.Hidden {
				names = append(names, c.Name())
			}
		}
		err = fmt.Errorf("unknown verb %q", args[0])
		hint = diag.Suggest(args[0], names)
	}
	fmt.Fprintf(m.Stderr, "Error: %v.%s\nRun `deploy-action --help` for the verbs and `deploy-action VERB --help` for the flags.\n", err, hint)
	return exitInvalid
}

// settle turns flags that say "do not" into options, and refuses numbers that
// make no sense.
func (f *flags) settle(cmd *cobra.Command) error {
	f.NoPrune, f.NoPush, f.NoRelease = !f.prune, !f.push, !f.release
	if !cmd.Flags().Changed("prune-retain") {
		f.Retain = -1
	}
	switch {
	case cmd.Flags().Changed("timeout") && f.Timeout <= 0:
		return fmt.Errorf("--timeout is %v; it must be longer than nothing, such as 20m", f.Timeout)
	case cmd.Flags().Changed("prune-retain") && f.Retain < 0:
		return fmt.Errorf("--prune-retain is %d; it must be 0 or more", f.Retain)
	case f.tail < 0:
		return fmt.Errorf("--tail is %d; it must be 0 or more", f.tail)
	}
	return nil
}

// operate makes a verb of an operation of the engine.
func operate(operation func(*engine.Engine, context.Context, engine.Options) ([]engine.Result, error)) func(context.Context, *session, *flags, []string) error {
	return func(ctx context.Context, s *session, f *flags, _ []string) error {
		results, err := operation(s.engine, ctx, f.Options)
		return errors.Join(err, s.conclude(results, f.session.json))
	}
}

func rollback(ctx context.Context, s *session, f *flags, args []string) error {
	if f.list {
		return s.showCandidates(ctx, f.Options)
	}
	return operate((*engine.Engine).Rollback)(ctx, s, f, args)
}

func showStatus(ctx context.Context, s *session, f *flags, _ []string) error {
	standings, err := s.engine.Status(ctx, f.Options)
	if err != nil {
		return err
	}
	return s.showStandings(standings, f.session.json)
}

func showLogs(ctx context.Context, s *session, f *flags, _ []string) error {
	req := component.LogRequest{Tail: f.tail, Follow: f.follow}
	if f.follow && len(f.Apps) != 1 && len(s.project.Apps()) > 1 {
		return invalid("Which app to follow", "Lines of several apps at once cannot be followed. Name one with --app.")
	}
	if err := f.sinceInto(&req, s.engine.Now()); err != nil {
		return err
	}
	several := len(s.project.Apps()) > 1 && len(f.Apps) != 1
	return s.engine.Logs(ctx, f.Options, req, func(app string, l component.LogLine) { s.showLine(app, several, l) })
}

func runExec(ctx context.Context, s *session, f *flags, args []string) error {
	f.Apps = args[:1]
	stdout, stderr, done := s.outputs()
	status, err := s.engine.Exec(ctx, f.Options, component.ExecRequest{
		Command: args[1:], TTY: f.tty, Stdin: s.machine.Stdin, Stdout: stdout, Stderr: stderr,
	})
	done()
	if err != nil {
		return err
	}
	if status != 0 {
		return exitError(status)
	}
	return nil
}

// exitError is an exit status of which nothing is left to be told: that of a
// command that was run for the user, or of a check that listed what it found.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("the command ended with status %d", int(e)) }
