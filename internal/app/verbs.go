package app

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/deploy-action/deploy-action/internal/engine"
)

// verb is one word of the command line.
type verb struct {
	under      string // the first word of a verb of two, such as state
	use, short string
	hidden     bool
	args       cobra.PositionalArgs
	flags      []func(*cobra.Command, *flags)

	// changes says that the verb may change a platform, so that what it did is
	// made durable and told when it ends.
	changes bool

	// only narrows changes to the calls that it is true of: with other flags or
	// words the verb only looks. nil is all calls.
	only func(f *flags, words []string) bool

	// stateless says that the verb reads no record.
	stateless bool

	// fileless says that the verb needs no waypoint.hcl, and so no record.
	fileless bool

	// recalls says that the verb works from records, so that problems of the
	// file do not stop it.
	recalls bool

	// prints says that standard output is for what the verb makes, and that all
	// else goes to standard error, as with --json.
	prints bool

	// run does it. What an invalid call or a failed operation was told already
	// comes back as an error that says so.
	run func(ctx context.Context, s *session, f *flags, args []string) error

	// unbegun tells others that the verb could not begin; nil for none.
	unbegun func(ctx context.Context, s *session)

	// ended has the last word once all problems were shown; nil for none.
	ended func(s *session, f *flags, status int)
}

// name is the word that calls the verb.
func (v verb) name() string {
	name, _, _ := strings.Cut(v.use, " ")
	return strings.TrimSpace(v.under + " " + name)
}

var verbs = []verb{
	{
		use: "up", short: "Build, push, deploy and release", changes: true,
		flags: []func(*cobra.Command, *flags){pruneFlags},
		run:   operate((*engine.Engine).Up),
	},
	{
		use: "build", short: "Build and push", changes: true,
		flags: []func(*cobra.Command, *flags){pushFlag},
		run:   operate((*engine.Engine).Build),
	},
	{
		use: "deploy", short: "Deploy the newest pushed artifact and release it", changes: true,
		flags: []func(*cobra.Command, *flags){artifactFlags, releaseFlag, pruneFlags},
		run:   operate((*engine.Engine).Deploy),
	},
	{
		use: "release", short: "Release the newest deployment", changes: true,
		flags: []func(*cobra.Command, *flags){deploymentFlag, pruneFlags},
		run:   operate((*engine.Engine).Release),
	},
	{
		use: "plan", short: "Show what up would change, and change nothing",
		run: showPlan, unbegun: planFailed,
	},
	{
		use: "rollback", short: "Release an earlier deployment", recalls: true, changes: true,
		only:  func(f *flags, _ []string) bool { return !f.list },
		flags: []func(*cobra.Command, *flags){deploymentFlag, listFlag},
		run:   rollback,
	},
	{
		use: "status", short: "Show the health of every deployment", recalls: true,
		run: showStatus,
	},
	{
		use: "logs", short: "Show what a deployment writes", recalls: true,
		flags: []func(*cobra.Command, *flags){deploymentFlag, logFlags},
		run:   showLogs,
	},
	{
		use: "exec APP -- COMMAND…", short: "Run a command in a deployment", recalls: true, args: appAndCommand,
		flags: []func(*cobra.Command, *flags){deploymentFlag, ttyFlag},
		run:   runExec,
	},
	{
		use: "prune", short: "Destroy old deployments", recalls: true, changes: true,
		flags: []func(*cobra.Command, *flags){pruneFlags},
		run:   operate((*engine.Engine).Prune),
	},
	{
		use: "destroy", short: "Destroy everything of the apps in a workspace", recalls: true, changes: true,
		flags: []func(*cobra.Command, *flags){deploymentFlag},
		run:   operate((*engine.Engine).Destroy),
	},
	{
		// What the event says decides whether there must be a file.
		use: "preview", short: "Deploy a pull request's preview, or destroy it", changes: true, fileless: true,
		run: runPreview,
	},
	{
		use: "sweep", short: "Destroy previews that are over", changes: true, fileless: true,
		run: sweep,
	},
	{
		// What is deployed it asks GitHub, not the records.
		use: "matrix", short: "Show which apps have changed, as the matrix of a workflow", stateless: true, prints: true,
		flags: []func(*cobra.Command, *flags){matrixFlags},
		run:   runMatrix,
	},
	{
		// Only run needs the state, so it opens it by itself.
		use: "pipeline run NAME", short: "Run a pipeline of the file; pipeline list shows them", changes: true, stateless: true,
		only:  func(_ *flags, words []string) bool { return words[0] != "list" },
		args:  pipelineWords,
		flags: []func(*cobra.Command, *flags){pipelineFlags},
		run:   runPipelineVerb,
	},
	{
		use: "hold", short: "Stop every change of the apps in a workspace, with a --reason", recalls: true, changes: true,
		run: operate((*engine.Engine).Hold),
	},
	{
		use: "unhold", short: "Lift a hold", recalls: true, changes: true,
		run: operate((*engine.Engine).Unhold),
	},
	{
		under: "state", use: "show", short: "Show the records, newest first", recalls: true,
		flags: []func(*cobra.Command, *flags){selectionFlags, allFlag},
		run:   showRecords,
	},
	{
		under: "state", use: "export", short: "Write the records, or measures of them, to a file", recalls: true, prints: true,
		flags: []func(*cobra.Command, *flags){selectionFlags, exportFlags},
		run:   exportRecords,
	},
	{
		under: "state", use: "import FILE", short: "Merge what state export wrote", recalls: true, changes: true, args: oneFile,
		flags: []func(*cobra.Command, *flags){yesFlag},
		run:   importRecords,
	},
	{
		under: "state", use: "recover", short: "Show what is known of every deployment where records were lost", recalls: true, changes: true,
		only:  func(f *flags, _ []string) bool { return f.records.yes },
		flags: []func(*cobra.Command, *flags){recoverFlags},
		run:   recoverRecords,
	},
	{
		under: "state", use: "unlock", short: "Show who holds the locks of the apps, and take them away", recalls: true, changes: true,
		only:  func(f *flags, _ []string) bool { return f.records.yes || f.records.force },
		flags: []func(*cobra.Command, *flags){unlockFlags},
		run:   unlock,
	},
	{
		// Without a file, that is what it says.
		use: "doctor", short: "Check permissions, sign-ins and the runner, and change nothing", fileless: true,
		run: examine,
	},
	{
		use: "validate", short: "Check waypoint.hcl", stateless: true,
		run: validate, ended: reportValidity,
	},
	{
		use: "fmt [FILE|FOLDER|-]…", short: "Format waypoint.hcl", fileless: true, prints: true, args: anyWords,
		flags: []func(*cobra.Command, *flags){fmtFlags},
		run:   format,
	},
	{
		use: "init", short: "Write a waypoint.hcl that fits the repository", fileless: true,
		flags: []func(*cobra.Command, *flags){initFlags},
		run:   start,
	},
	{
		use: "plugins [NAME]", short: "List the plugins, or show what one takes", fileless: true, args: anyWords,
		run: showPlugins,
	},
	{
		use: "config", short: "Show what the apps would be given, secrets masked", stateless: true,
		run: showConfig,
	},
	{use: "version", short: "Print the version"},
	{use: postVerb, hidden: true},
}

// postVerb is what the post step runs: it makes durable what the main step
// could not.
const postVerb = "post"
