package config

// BlockReference is what one kind of block may hold, for the reference.
type BlockReference struct {
	Title string // how the block is written, e.g. `app "NAME"`; or what it is
	Items []ItemReference
}

// ItemReference is an argument or a block.
type ItemReference struct {
	Name     string
	Labels   []string // of a block
	Block    bool
	Required bool
	Doc      string
	NoEffect string // why it is accepted without effect; "" for what has one
}

// Reference returns every block of the language, from the outside in.
func Reference() []BlockReference {
	var blocks []BlockReference
	for _, b := range []struct {
		title   string
		grammar grammar
	}{
		{"the file", rootGrammar},
		{`variable "NAME"`, variableGrammar},
		{"validation, in variable", validationGrammar},
		{`app "NAME"`, appGrammar},
		{"build", stageGrammars["build"]},
		{"registry, in build", stageGrammars["registry"]},
		{"deploy", stageGrammars["deploy"]},
		{"release", stageGrammars["release"]},
		{`workspace "NAME" and label "SELECTOR", in build and registry`, scopeGrammars["build"]},
		{`workspace "NAME" and label "SELECTOR", in deploy`, scopeGrammars["deploy"]},
		{`workspace "NAME" and label "SELECTOR", in release`, scopeGrammars["release"]},
		{"hook", hookGrammar},
		{"config", settingsGrammar},
		{`workspace "NAME" and label "SELECTOR", in config`, groupGrammar},
		{"runner, in config", runnerSettingsGrammar},
		{`pipeline "NAME"`, pipelineGrammar},
		{`step "NAME", in pipeline`, stepGrammar},
		{`use "build", in step`, stepUseGrammars["build"]},
		{`use "deploy", in step`, stepUseGrammars["deploy"]},
		{`use "release", in step`, stepUseGrammars["release"]},
		{`use "up", in step`, stepUseGrammars["up"]},
		{`use "exec", in step`, stepUseGrammars["exec"]},
		{`use "pipeline", in step`, stepUseGrammars["pipeline"]},
		{"preview", previewGrammar},
		{`workspace "NAME", in the file`, refsGrammar},
		{`auth "aws"`, authGrammars["aws"].whole},
		{`auth "azure"`, authGrammars["azure"].whole},
		{`auth "google"`, authGrammars["google"].whole},
		{`plugin "NAME"`, pluginGrammar},
		{"type, in plugin", pluginTypeGrammar},
	} {
		reference := BlockReference{Title: b.title}
		for _, t := range b.grammar.items {
			reference.Items = append(reference.Items, ItemReference{t.name, t.labels, t.block, t.required, t.doc, t.idle})
		}
		blocks = append(blocks, reference)
	}
	return blocks
}
