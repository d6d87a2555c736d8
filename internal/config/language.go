package config

// The blocks of the language. A term's sentence is its entry in the reference.
var (
	rootGrammar = newGrammar("the file",
		argument("project", "The project's name, under which state is kept."),
		argument("labels", "Labels of every operation of the project."),
		block("variable", "An input of the file.", "name"),
		block("config", "Settings of every app."),
		block("app", "An application: how it is built, deployed and released.", "name"),
		block("pipeline", "Steps that `pipeline run NAME` takes in order.", "name"),
		block("source", "Settings of a source of dynamic values.", "name"),
		block("auth", "The cloud roles to assume with the job's OIDC token.", "provider"),
		block("workspace", "Which refs may deploy to a workspace.", "name"),
		block("plugin", "A declaration of a plugin, and the checksum of an external one.", "name"),
		idle(block("runner", "Waypoint's runner."), "Operations run in this process, so there is no runner to choose."),
	)
	appGrammar = newGrammar("an app block",
		argument("path", "The app's folder; by default that of the file. It lies inside that folder."),
		argument("labels", "Labels of every operation of the app."),
		argument("watch", "Patterns of paths, relative to the app's folder, that change the app."),
		argument("depends_on", "Apps that are worked on before this one."),
		block("build", "How the artifact is made."),
		block("deploy", "Where the artifact runs."),
		block("release", "How the deployment gets its traffic."),
		block("config", "Settings of the app, over those of the project."),
		block("preview", "A deployment for each pull request."),
		block("auth", "The cloud roles of this app, in place of the project's.", "provider"),
		idle(block("runner", "Waypoint's runner."), "Operations run in this process, so there is no runner to choose."),
		idle(block("url", "Waypoint's URL service."), "There is no URL service; a releaser gives the app its address."),
	)
	// stageGrammars are those of the stages' blocks, by their type.
	stageGrammars = map[string]grammar{
		"build":    stageGrammar("build", block("registry", "Where the artifact is pushed to.")),
		"registry": stageGrammar("registry"),
		"deploy":   stageGrammar("deploy"),
		"release":  stageGrammar("release"),
	}
	// scopeGrammars are those of the workspace and label blocks in a stage, by
	// the stage's type.
	scopeGrammars = map[string]grammar{
		"build":    newGrammar("a scope of a build block", variantTerms("build")...),
		"registry": newGrammar("a scope of a registry block", variantTerms("registry")...),
		"deploy":   newGrammar("a scope of a deploy block", variantTerms("deploy")...),
		"release":  newGrammar("a scope of a release block", variantTerms("release")...),
	}
	hookGrammar = newGrammar("a hook block",
		required("when", "`before` or `after` the stage."),
		required("command", "The program and its arguments. No shell reads them."),
		argument("on_failure", "`fail`, the default, or `continue`."),
		argument("image", "Run the command in this image."),
		argument("identity", "Give the command the cloud identity."),
	)
	settingsGrammar = newGrammar("a config block",
		append(groupTerms,
			idle(argument("file_change_signal", "Waypoint's signal to a running app."), "Files are delivered with a deployment, and never changed under a running one."),
			block("workspace", "Settings in one workspace, over those around it.", "name"),
			block("label", "Settings of deployments whose labels match, over those around it.", "selector"),
			block("runner", "Environment variables of this program, for plugins, hooks and variables."),
		)...)
	// groupGrammar is that of the workspace and label blocks in a config block.
	groupGrammar = newGrammar("a scope of a config block", groupTerms...)
	// runnerSettingsGrammar is that of the runner block in a config block.
	runnerSettingsGrammar = newGrammar("a runner block",
		append(groupTerms,
			block("workspace", "Settings in one workspace, over those around it.", "name"),
			block("label", "Settings where the project's labels match, over those around it.", "selector"),
		)...)
	variableGrammar = newGrammar("a variable block",
		argument("type", "`string`, `number`, `bool`, `any`, or `list(…)`, `set(…)`, `map(…)`, `object({…})`, `tuple([…])`."),
		argument("default", "The value where none is given. It may be `dynamic(…)`."),
		argument("description", "For people."),
		argument("env", "Further environment variables to take the value from."),
		argument("sensitive", "The value is masked everywhere and never recorded."),
		block("validation", "A condition that the value must meet."),
	)
	validationGrammar = newGrammar("a validation block",
		required("condition", "An expression that is true for a good value."),
		required("error_message", "What to say of a bad one."),
	)
	previewGrammar = newGrammar("a preview block",
		argument("ttl", "How long a preview lives after its last push; `72h` by default."),
		argument("label", "The pull request's label that asks for a preview; by default none is needed."),
		argument("max", "How many previews there may be at a time; 10 by default."),
	)
	refsGrammar = newGrammar("a workspace block",
		required("refs", "Patterns of the branches and tags that may deploy to the workspace; one that begins with `refs/` is of whole refs."),
	)
	pluginGrammar = newGrammar("a plugin block",
		block("type", "What the plugin is: `mapper`, `build`, `registry`, `deploy`, `release`, each true or false."),
		argument("checksum", "The SHA-256 digest of an external plugin's program, in hexadecimal."),
		argument("allow_unverified", "Run an external plugin of the repository's own without a checksum."),
	)
	pluginTypeGrammar = newGrammar("a type block",
		argument("mapper", "It converts artifacts."),
		argument("build", "It is a builder."),
		argument("registry", "It is a registry."),
		argument("deploy", "It is a platform."),
		argument("release", "It is a releaser."),
	)
)

// groupTerms are what every part of a config block may hold.
var groupTerms = []term{
	argument("env", "Environment variables of the app, by name."),
	argument("file", "Files beside the app, by path."),
	argument("internal", "Values that only other values of config blocks see."),
}

// variantTerms are what a stage may hold, and so may each of its scopes.
func variantTerms(stage string) []term {
	terms := []term{
		argument("labels", "Labels of the stage's operations. Those of the stage itself count, not those of its scopes."),
		block("use", "The plugin, and its configuration.", "plugin"),
		block("hook", "A command before or after the stage."),
	}
	if stage == "deploy" || stage == "release" {
		terms = append(terms,
			argument("timeout", "How long the stage may take, such as `20m`."),
			argument("rollback", "`auto` puts the previous release back when the stage fails."),
			argument("outdated", "`allow` lets an older run go over a newer one."),
		)
	}
	if stage == "release" {
		terms = append(terms,
			argument("canary", "The shares of the traffic, in percent, that the release takes one after another."),
			argument("pause", "How long to watch the deployment's health at each share."),
		)
	}
	return terms
}

// stageGrammar is the grammar of a build, registry, deploy or release block:
// what its scopes hold, and more.
func stageGrammar(stage string, more ...term) grammar {
	terms := append(variantTerms(stage),
		block("workspace", "Replaces the stage in one workspace.", "name"),
		block("label", "Replaces the stage where the operation's labels match the selector.", "selector"),
	)
	return newGrammar("a "+stage+" block", append(terms, more...)...)
}

// idle is a term that is accepted, and the reason why it has no effect.
func idle(t term, reason string) term {
	t.idle = reason
	return t
}
