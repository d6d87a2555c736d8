package config_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/config/bounded"
)

// limited makes this program the process that TestLimits measures.
var limited = flag.String("limited", "", "evaluate the file and print its first problem")

// mostMemory is what no file may need, whatever is in it.
const mostMemory = 200 << 20

// TestLimits evaluates files that would take days or all memory, each in a
// process of its own: it ends with a problem that says why.
func TestLimits(t *testing.T) {
	t.Parallel()
	deep := func(open, inner, closing string) string {
		const levels = 30_000
		return strings.Repeat(open, levels) + inner + strings.Repeat(closing, levels)
	}
	value := func(expr string) string {
		return "project = \"shop\"\nvariable \"x\" {\n  default = " + expr + "\n}\n"
	}
	for name, c := range map[string]struct{ source, want string }{
		"a range of 1e9":       {value("range(1e9)"), "Error in function call"},
		"loops in loops":       {value("[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]]"), "Expression too expensive"},
		"objects in loops":     {value("{for a in range(1000) : a => {for b in range(1000) : b => {for c in range(1000) : c => a}}}"), "Expression too expensive"},
		"conditions in loops":  {value("[for a in range(1000) : a if length([for b in range(1000) : b if length([for c in range(1000) : c if false]) > 0]) > 0]"), "Expression too expensive"},
		"grouping in loops":    {value(`{for a in flatten([for b in range(1000) : [for c in range(1000) : c]]) : "x" => a...}`), "Expression too expensive"},
		"templates in loops":   {value(`"%{for a in range(1000)}%{for b in range(1000)}%{for c in range(1000)}x%{endfor}%{endfor}%{endfor}"`), "Expression too expensive"},
		"a text that doubles":  {value(doubling(`"0123456789"`, `"${%[1]s}${%[1]s}"`)), "Expression too expensive"},
		"a list that doubles":  {value(doubling(`[1, 2]`, `concat(%[1]s, %[1]s)`)), "Error in function call"},
		"shared lists":         {value(doubling(`[1, 2]`, `[%[1]s, %[1]s]`)), "Expression too expensive"},
		"one text many times":  {value(`[for a in [join("", range(1000))] : "` + strings.Repeat("${a}", 10_000) + `"]`), "Expression too expensive"},
		"hidden by try":        {value("try([for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]], 1)"), "Expression too expensive"},
		"a problem many times": {value("[for a in range(1000) : [for b in range(1000) : nothing]]"), "Unknown variable"},
		"values that double":   {doublingSettings(), "Value too long"},
		"many long values":     {manySettings(), "Values too long"},
		"brackets":             {value(deep("[", "", "]")), "Nesting too deep"},
		"parentheses":          {value(deep("(", "1", ")")), "Nesting too deep"},
		"braces":               {value(deep("{a=", "1", "}")), "Nesting too deep"},
		"unclosed":             {value(deep("(", "", "")), "Nesting too deep"},
		"blocks":               {deep("a {\n", "", "}\n"), "Nesting too deep"},
		"templates":            {value(deep(`"${`, "1", `}"`)), "Nesting too deep"},
		"directives":           {value(`"` + deep("%{if true}", "x", "%{endif}") + `"`), "Nesting too deep"},
		"negations":            {value(deep("!", "true", "")), "Nesting too deep"},
		"sums":                 {value(deep("1+", "1", "")), "Nesting too deep"},
		"sums over lines":      {value("(" + deep("1+\n", "1", "") + ")"), "Nesting too deep"},
		"choices":              {value(deep("true ? 1 : ", "1", "")), "Nesting too deep"},
		"indexes":              {value("path" + deep("", "", "[path.pwd]")), "Nesting too deep"},
		"splats":               {value("path" + deep("", "", "[*]")), "Nesting too deep"},
		"a large file":         {strings.Repeat("# comment\n", 1<<20), "File too large"},
		"many words":           {value("[" + strings.Repeat("1,", 1<<20) + "]"), "File too large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkLimited(t, "waypoint.hcl", c.source, c.want)
		})
	}
}

// TestLimitsOfJSON is TestLimits for the syntax in which expressions are texts.
func TestLimitsOfJSON(t *testing.T) {
	t.Parallel()
	value := func(text string) string {
		return `{"project": "shop", "variable": {"x": {"default": ` + text + `}}}`
	}
	const levels = 100_000
	for name, c := range map[string]struct{ source, want string }{
		"loops in loops": {value(`"${[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]]}"`), "Expression too expensive"},
		"in a list":      {value(`["${[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]]}"]`), "Expression too expensive"},
		"in an object":   {value(`{"a": "${[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]]}"}`), "Expression too expensive"},
		"brackets":       {value(strings.Repeat("[", levels) + strings.Repeat("]", levels)), "Nesting too deep"},
		"in a text":      {value(`"${` + strings.Repeat("(", levels) + "1" + strings.Repeat(")", levels) + `}"`), "Nesting too deep"},
		"a large file":   {strings.Repeat(" ", bounded.MaxFile+1), "File too large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkLimited(t, "waypoint.hcl.json", c.source, c.want)
		})
	}
}

// doubling is a value that is put into expr twice, forty times.
func doubling(first, expr string) string {
	const times = 40
	var b strings.Builder
	inner := first
	for i := range times {
		name := fmt.Sprintf("a%d", i)
		fmt.Fprintf(&b, "[for %s in [%s] : ", name, inner)
		inner = fmt.Sprintf(expr, name)
	}
	return b.String() + inner + strings.Repeat("]", times)
}

// doublingSettings is a config block in which each value has that before it
// ten times.
func doublingSettings() string {
	var b strings.Builder
	b.WriteString("project = \"shop\"\nconfig {\n  internal = {\n    a0 = \"0123456789\"\n")
	for i := range 40 {
		fmt.Fprintf(&b, "    a%d = \"%s\"\n", i+1, strings.Repeat(fmt.Sprintf("${config.internal.a%d}", i), 10))
	}
	b.WriteString("  }\n}\n")
	return b.String() + anApp
}

// manySettings is a config block of many values that are not too long by
// themselves.
func manySettings() string {
	var b strings.Builder
	b.WriteString("project = \"shop\"\nconfig {\n  env = {\n    a = join(\"\", [for a in range(1000) : join(\"\", range(300))])\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "    a%d = \"${config.env.a}%d\"\n", i, i)
	}
	b.WriteString("  }\n}\n")
	return b.String() + anApp
}

const anApp = "app \"web\" {\n  build {\n    use \"test\" {}\n  }\n  deploy {\n    use \"test\" {}\n  }\n}\n"

// checkLimited evaluates a file in a process of its own, and checks its first
// problem and its memory.
func checkLimited(t *testing.T, name, source, want string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, source)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLimited$", "-limited="+path)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the process ended with %v:\n%.2000s", err, output)
	}
	if !bytes.HasPrefix(output, []byte(want+"; ")) {
		t.Errorf("the problem is %.300q, want %q", output, want)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal(errors.New("the process has no usage"))
	}
	t.Logf("%d MB, %v", usage.Maxrss>>10, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	if used := usage.Maxrss << 10; used > mostMemory {
		t.Errorf("the process needed %d MB, want %d at most", used>>20, mostMemory>>20)
	}
}

// TestLimited is the process that TestLimits starts.
func TestLimited(t *testing.T) {
	t.Parallel()
	if *limited == "" {
		t.Skip("TestLimits runs it in a process of its own")
	}
	p, diags := config.Load(*limited)
	scope, more := p.Scope(config.Inputs{})
	diags = append(diags, more...)
	for _, name := range p.Apps() {
		_, more := p.App(name, scope)
		diags = append(diags, more...)
	}
	for _, d := range diags {
		fmt.Printf("%s; %s\n", d.Summary, d.Detail)
	}
}
