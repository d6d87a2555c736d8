package app

// help is what the help of each verb and the reference say beyond the line in
// the list of verbs. A test parses the examples.
var help = map[string]struct{ about, example string }{
	"up": {
		`Up builds each app, pushes and deploys what was built, and moves traffic to it once it serves. Afterwards old
deployments are destroyed, but for the one before.`,
		`  deploy-action up
  deploy-action up --app web --workspace production --var version=1.4`,
	},
	"build": {
		`Build makes the artifact of each app and pushes it to the app's registry.`,
		`  deploy-action build
  deploy-action build --app web --push=false`,
	},
	"deploy": {
		`Deploy deploys and releases the newest pushed artifact of the workspace, or of the one that --from names; --artifact
chooses an older one. Nothing is built.`,
		`  deploy-action deploy
  deploy-action deploy --workspace production --from staging`,
	},
	"release": {
		`Release moves traffic to a deployment, by default to the newest.`,
		`  deploy-action release
  deploy-action release --app web --deployment 12`,
	},
	"plan": {
		`Plan shows, for each app and stage, what up would change. It changes nothing.`,
		`  deploy-action plan
  deploy-action plan --workspace production --json`,
	},
	"rollback": {
		`Rollback releases an earlier deployment, by default the one released before. It builds nothing.`,
		`  deploy-action rollback --list
  deploy-action rollback --app web --deployment 11 --reason outage`,
	},
	"status": {
		`Status asks the platforms how every deployment fares.`,
		`  deploy-action status
  deploy-action status --workspace production --json`,
	},
	"logs": {
		`Logs shows what the released deployment writes, or the one that --deployment names.`,
		`  deploy-action logs --app web --follow
  deploy-action logs --app web --since 10m --tail 100`,
	},
	"exec": {
		`Exec runs a command in the released deployment of an app, or in the one that --deployment names. Its exit status is
that of the command.`,
		`  deploy-action exec web -- ls /
  deploy-action exec web --tty -- sh`,
	},
	"prune": {
		`Prune destroys deployments that are not released, but for the newest of them.`,
		`  deploy-action prune
  deploy-action prune --app web --prune-retain 3`,
	},
	"destroy": {
		`Destroy removes everything that was made for the apps in a workspace, or one deployment. It works from the
records, also for apps that are gone from the file.`,
		`  deploy-action destroy --workspace pr-12
  deploy-action destroy --app web --deployment 12`,
	},
	"preview": {
		`Preview does what the event of a pull request asks for: it deploys the apps to the workspace pr-NUMBER when the pull
request is opened, pushed to, reopened, ready for review or given the label that a preview block names, and destroys
them when it is closed or loses that label. Where an app of the file has a preview block, only such apps have previews.
Drafts, forks and Dependabot's pull requests get none, and a notice. Under pull_request_target it only ever destroys,
and reads no file.`,
		`  deploy-action preview
  deploy-action preview --app web`,
	},
	"sweep": {
		`Sweep destroys the previews whose pull request is closed, whose label was taken away, or which were deployed longer
ago than the preview block of their app allows. It works from the Deployments and the records, also for apps that the
file never had, and is meant for a workflow that runs on a schedule.`,
		`  deploy-action sweep
  deploy-action sweep --app web`,
	},
	"matrix": {
		`Matrix shows which apps differ from what was released last in the workspace, in the order of their dependencies, as a
value for strategy.matrix. An app has changed if a file below its folder has, or, where it has watch, a file that one of
those patterns matches; waypoint.hcl, its *.auto.wpvars files, the files of --var-file and what --shared names change
every app. What depends on an app that has changed has not changed by that. What cannot be known counts as changed.

The jobs are {"app", "workspace", "level"}; an app of level 1 comes after one of level 0. More than 256 of them, and any
number with --groups, are {"group"} instead: such a job calls matrix with --group and gets a matrix of its own.`,
		`  deploy-action matrix --workspace production
  deploy-action matrix --shared 'libs/**' --groups
  deploy-action matrix --group 2`,
	},
	"pipeline": {
		`Pipeline run runs the steps of a pipeline block in order, each for the chosen apps; a step that fails keeps those that
depend on it from running. Pipeline list shows the pipelines of the file.`,
		`  deploy-action pipeline run release
  deploy-action pipeline list`,
	},
	"config": {
		`Config shows the values of the variables and what the config blocks deliver to each app. Sources of values are asked,
and what they hold in confidence is masked.`,
		`  deploy-action config
  deploy-action config --app web --workspace production --json`,
	},
	"hold": {
		`Hold stops every verb that would change the apps in a workspace, until it is lifted. Each of them then says who holds
what, why and since when.`,
		`  deploy-action hold --workspace production --reason incident-812
  deploy-action hold --app web --reason migration`,
	},
	"unhold": {
		`Unhold lifts a hold.`,
		`  deploy-action unhold --workspace production`,
	},
	"state show": {
		`State show lists the records of the apps in a workspace, newest first.`,
		`  deploy-action state show
  deploy-action state show --app web --operation release --all`,
	},
	"state export": {
		// The definitions of the measures are those of state.Measures.
		`Write the chosen records to standard output or to a file. Secrets are masked.

Without --format this is a state file, which state import merges elsewhere.
--format ndjson writes one record a line, --format json an array of them.

--dora writes the four DORA measures of each app and workspace instead, over the
time from --since until now; with --json, or --format json, as JSON. A change is
an artifact that was not released there before.

  deployments      releases that succeeded, and how many that is a day
  lead time        median time of the changes from the start of the build to the
                   end of the release, for records do not say when a change was
                   committed
  failure rate     of the releases, and of the deploys that failed before one:
                   how many failed, or were taken back by a rollback
  time to restore  median time from such a failure to the next release that
                   succeeded

What was interrupted counts nowhere. Where older records were trimmed, the time
begins with the oldest that is left.`,
		`  deploy-action state export --output state.gz
  deploy-action state export --since 720h --format ndjson
  deploy-action state export --dora --since 2026-01-01`,
	},
	"state import": {
		`State import merges the records of a file that state export wrote. What is further along wins, so that importing an
older copy changes nothing.`,
		`  deploy-action state import state.gz --yes`,
	},
	"state recover": {
		`State recover asks GitHub and the platforms what they know of the deployments in a workspace, and shows it beside what
is recorded: for when state artifacts were lost. With --yes it records what it found. It destroys nothing.

Where a platform cannot be asked, a deployment that you know to be gone is named with --gone. Where Deployments are
turned off, the statuses of the newest commits tell what they can.`,
		`  deploy-action state recover --workspace production
  deploy-action state recover --app web --yes
  deploy-action state recover --gone web-abcdefghij --yes`,
	},
	"state unlock": {
		`State unlock shows who holds the lock of each app in a workspace and, with --yes or when asked on a terminal, takes it
away. A lock whose run is still at work is left, unless --force says otherwise. Locks of runs that ended, or whose lease
is over, need no unlocking: the next run takes them.`,
		`  deploy-action state unlock --workspace production
  deploy-action state unlock --app web --yes`,
	},
	"doctor": {
		`Doctor looks at everything that a deploy needs and changes nothing: the permissions of the token, the claims of the
job's OIDC token and the roles that trust it, the sign-in to sources of values, registries and platforms, the state, the
lock, the runner, its clock and its way to the network. Each row of its table is ok, a warning, a problem that would
stop a deploy, or not checked, and below stands what mends it. The checks run side by side, and one that has no answer
within 10 seconds says so. Of permissions to write it learns by requests that cannot be carried out, since they name a
commit that does not exist. The exit status is 0, or 2 where something would stop a deploy. With --json standard
output is one object: {"ok": …, "rows": [{"check", "state", "finding", "remedy"}], "permissions": …}.`,
		`  deploy-action doctor
  deploy-action doctor --workspace production --json`,
	},
	"validate": {
		`Validate checks the file and everything in it that can be checked without running anything. With --json standard
output is one object, whatever is wrong: {"valid": …, "diagnostics": [{"severity", "summary", "detail", "file",
"start": {"line", "column"}, "end": …}]}. The exit status is 0 for a valid file and 2 for another.`,
		`  deploy-action validate
  deploy-action validate --json`,
	},
	"fmt": {
		`Fmt rewrites files in the canonical layout: aligned and indented, labels of blocks in quotes, and x in place of a
value that is only "${x}". It formats the project's waypoint.hcl, or the files that are named: also files of
variables, the waypoint.hcl of a folder, or - for standard input, which is printed. It prints the names of the
files that it changes. With --check nothing is written, and the exit status is 1 if something would be. A file need
only parse; one that does not is shown with its place, and the exit status is 2.`,
		`  deploy-action fmt
  deploy-action fmt --check --diff
  deploy-action fmt production.wpvars
  deploy-action fmt - <waypoint.hcl`,
	},
	"init": {
		`Init looks at what the folder holds (Dockerfiles, Go modules, Node programs, charts, manifests) and writes a
waypoint.hcl for it that is valid at once. It says what it found and what to do next, and overwrites nothing. A Go or
Node program without a Dockerfile gets one.`,
		`  deploy-action init
  deploy-action init --workflow`,
	},
	"plugins": {
		`Plugins lists what a use block can name; with a name it shows what that plugin does and takes.`,
		`  deploy-action plugins
  deploy-action plugins docker
  deploy-action plugins --json`,
	},
	"version": {
		`Version prints the version of this program.`,
		`  deploy-action version`,
	},
}
