package app_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

//go:generate go test -run ^TestReference$ -update

var update = flag.Bool("update", false, "rewrite docs/reference.md")

// chapters are what docs/reference.md consists of.
var chapters = []struct {
	title string
	text  func(*testing.T) string
}{
	{"Verbs", verbsChapter},
	{"Flags of every verb", func(*testing.T) string { return fence("", app.Commands().PersistentFlags().FlagUsages()) }},
	{"Inputs of the action", inputsChapter},
	{"Outputs of the action", outputsChapter},
	{"Blocks of waypoint.hcl", blocksChapter},
	{"Functions", functionsChapter},
	{"What plugins take", pluginsChapter},
}

// TestReference holds docs/reference.md against the code that it is made of;
// `go generate ./internal/app` rewrites it.
func TestReference(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Reference\n\n<!-- Made from the code by `go generate ./internal/app`. -->\n\n")
	for _, c := range chapters {
		fmt.Fprintf(&b, "- [%s](#%s)\n", c.title, strings.ReplaceAll(strings.ToLower(c.title), " ", "-"))
	}
	for _, c := range chapters {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", c.title, strings.TrimSpace(c.text(t)))
	}
	const path = "../../docs/reference.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(got), b.String()); diff != "" {
		t.Errorf("docs/reference.md is out of date; run go generate ./internal/app (-file +code):\n%s", diff)
	}
}

// visible returns the commands of the verbs that users call.
func visible() []*cobra.Command {
	var leaves []*cobra.Command
	for _, c := range app.Commands().Commands() {
		switch {
		case c.Hidden:
		case c.HasSubCommands():
			leaves = append(leaves, c.Commands()...)
		default:
			leaves = append(leaves, c)
		}
	}
	return leaves
}

// nameOf is the verb as users write it.
func nameOf(c *cobra.Command) string {
	return strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
}

func verbsChapter(*testing.T) string {
	var b strings.Builder
	b.WriteString("The input `command` of the action and the first word on a terminal are the same word.\n\n")
	for _, c := range visible() {
		fmt.Fprintf(&b, "- [%s](#%s): %s\n", nameOf(c), strings.ReplaceAll(nameOf(c), " ", "-"), c.Short)
	}
	for _, c := range visible() {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n%s", nameOf(c), c.Long, fence("sh", unindented(c.Example)))
		if c.Use != c.Name() {
			b.WriteString("\nThe form is `" + nameOf(c) + strings.TrimPrefix(c.Use, c.Name()) + "`.\n")
		}
		if c.HasLocalFlags() {
			b.WriteString("\n" + fence("", c.LocalNonPersistentFlags().FlagUsages()))
		}
	}
	return b.String()
}

func inputsChapter(t *testing.T) string {
	var b strings.Builder
	b.WriteString("All are optional.\n\n| input | default | |\n|---|---|---|\n")
	for _, entry := range actionEntries(t, "inputs") {
		value := ""
		if entry.about.Type().HasAttribute("default") {
			value = "`" + entry.about.GetAttr("default").AsString() + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", entry.name, value, entry.description())
	}
	return b.String()
}

func outputsChapter(t *testing.T) string {
	var b strings.Builder
	b.WriteString("With several apps each is a JSON object keyed by app, else the plain value.\n\n| output | |\n|---|---|\n")
	for _, entry := range actionEntries(t, "outputs") {
		fmt.Fprintf(&b, "| `%s` | %s |\n", entry.name, entry.description())
	}
	return b.String()
}

func pluginsChapter(*testing.T) string {
	return "What each plugin takes is in [a file of its own](../internal/builtin/REFERENCE.md), which\n" +
		"`deploy-action plugins NAME` shows as well."
}

// actionEntry is an input or an output.
type actionEntry struct {
	name  string
	about cty.Value
}

// description is what the file says about it, as Markdown.
func (e actionEntry) description() string {
	return strings.NewReplacer("|", `\|`, "*", `\*`).Replace(e.about.GetAttr("description").AsString())
}

// actionEntries returns a part of action.yml in the order of the file.
func actionEntries(t *testing.T, part string) []actionEntry {
	t.Helper()
	source, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	kind, err := yaml.Standard.ImpliedType(source)
	if err != nil {
		t.Fatal(err)
	}
	action, err := yaml.Standard.Unmarshal(source, kind)
	if err != nil {
		t.Fatal(err)
	}
	var entries []actionEntry
	for name, about := range action.GetAttr(part).AsValueMap() {
		entries = append(entries, actionEntry{name, about})
	}
	at := func(e actionEntry) int { return strings.Index(string(source), "\n  "+e.name+":") }
	slices.SortFunc(entries, func(a, b actionEntry) int { return cmp.Compare(at(a), at(b)) })
	return entries
}

// fence puts text between fences.
func fence(language, text string) string {
	return "```" + language + "\n" + strings.TrimRight(text, "\n") + "\n```\n"
}

// unindented takes the indentation of help texts from an example.
func unindented(example string) string {
	return strings.ReplaceAll(strings.TrimPrefix(example, "  "), "\n  ", "\n")
}

// TestExamples parses what the help of each verb shows.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, c := range visible() {
		t.Run(c.Name(), func(t *testing.T) {
			t.Parallel()
			if c.Example == "" || c.Long == "" {
				t.Fatal("the table help lacks the verb, or a part of it")
			}
			for line := range strings.Lines(unindented(c.Example)) {
				words := slices.DeleteFunc(strings.Fields(line), func(word string) bool { return strings.HasPrefix(word, "<") })
				found, rest, err := app.Commands().Find(words[1:])
				if err != nil || words[0] != "deploy-action" || found.Name() != c.Name() {
					t.Fatalf("%q is no call of the verb: %v", line, err)
				}
				if err := found.ParseFlags(rest); err != nil {
					t.Errorf("%q: %v", line, err)
				}
				if err := found.ValidateArgs(found.Flags().Args()); err != nil {
					t.Errorf("%q: %v", line, err)
				}
			}
		})
	}
}

// TestVerbsAreNamed holds what lists the verbs by hand against the verbs.
func TestVerbsAreNamed(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := actionEntries(t, "inputs")[0]
	for _, c := range visible() {
		first, _, _ := strings.Cut(nameOf(c), " ") // the input takes one word
		if !strings.Contains(string(readme), "`"+nameOf(c)+"`") {
			t.Errorf("README.md does not name the verb %s", nameOf(c))
		}
		if description := command.description(); !strings.Contains(description+" ", " "+first) {
			t.Errorf("action.yml does not name the verb %s at its input %s: %s", first, command.name, description)
		}
	}
}

func blocksChapter(*testing.T) string {
	var b strings.Builder
	b.WriteString("[waypoint.md](waypoint.md) tells what values may refer to, and what differs from Waypoint.\n")
	for _, block := range config.Reference() {
		fmt.Fprintf(&b, "\n### %s\n\n| | |\n|---|---|\n", block.Title)
		for _, item := range block.Items {
			fmt.Fprintf(&b, "| %s | %s |\n", written(item), explained(item))
		}
	}
	return b.String()
}

// written is an argument or a block as the language writes it.
func written(item config.ItemReference) string {
	if !item.Block {
		return "`" + item.Name + "`"
	}
	words := []string{item.Name}
	for _, label := range item.Labels {
		words = append(words, strconv.Quote(strings.ToUpper(label)))
	}
	return "`" + strings.Join(words, " ") + " { … }`"
}

func explained(item config.ItemReference) string {
	doc := item.Doc
	if item.Required {
		doc += " Required."
	}
	if item.NoEffect != "" {
		doc += " Accepted without effect: " + strings.ToLower(item.NoEffect[:1]) + item.NoEffect[1:]
	}
	return doc
}

func functionsChapter(*testing.T) string {
	var b strings.Builder
	group := ""
	for _, f := range funcs.Reference() {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n### %s\n\n| | |\n|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| `%s(%s)` | %s |\n", f.Name, parameters(f), strings.ReplaceAll(f.Summary, "|", "\\|"))
	}
	return b.String()
}

// parameters are those of a function, by name.
func parameters(f funcs.Signature) string {
	names := make([]string, len(f.Params))
	for i, p := range f.Params {
		names[i] = p.Name
		if p.Variadic {
			names[i] += "…"
		}
	}
	return strings.Join(names, ", ")
}
