package workflow_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

func TestDefuse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"plain":             {"hello: world", "hello: world"},
		"empty":             {"", ""},
		"command":           {"::error::x", `\::error::x`},
		"indented":          {" \t::error::x", " \t\\::error::x"},
		"later in the line": {"std::vector::x", "std::vector::x"},
		"second line":       {"a\n::error::x\nb", "a\n\\::error::x\nb"},
		"carriage return":   {"a\r::error::x", "a\r\\::error::x"},
		"no-break space":    {"\u00a0::error::x", "\u00a0\\::error::x"},
		"zero width":        {"\u200b:\u200d:error::x", "\u200b\\:\u200d:error::x"},
		"byte order mark":   {"\ufeff::error::x", "\ufeff\\::error::x"},
		"legacy":            {"a ##[error]x ##[group]", `a ##[\error]x ##[\group]`},
		"many signs":        {"####[error]", `####[\error]`},
		"both":              {"::##[error]::x", `\::##[\error]::x`},
		"one colon":         {": x", ": x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := workflow.Defuse(tt.text); got != tt.want {
				t.Errorf("Defuse(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

func TestLineWriter(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		writes []string
		want   []string
	}{
		"whole lines":           {[]string{"a\nb\n"}, []string{"a", "b"}},
		"in pieces":             {[]string{"a", "b\nc", "d"}, []string{"ab", "cd"}},
		"empty lines":           {[]string{"\n\na\n"}, []string{"", "", "a"}},
		"line ends of Windows":  {[]string{"a\r\nb\r", "\n"}, []string{"a", "b"}},
		"progress":              {[]string{"1%\r2%", "\r", "3%\ndone\n"}, []string{"3%", "done"}},
		"erased by nothing":     {[]string{"1%\r"}, []string{"1%"}},
		"several returns":       {[]string{"a\r\r\n"}, []string{"a"}},
		"no end":                {[]string{"a"}, []string{"a"}},
		"nothing":               {nil, nil},
		"a command in pieces":   {[]string{":", ":error", "::x\n"}, []string{"::error::x"}},
		"hidden by a return":    {[]string{"a\r::error::x\n"}, []string{"::error::x"}},
		"character in pieces":   {[]string{"\xe2\x9c", "\x93\n"}, []string{"✓"}},
		"only a return at last": {[]string{"a\n\r"}, []string{"a"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			w := workflow.LineWriter{Line: func(line string) { got = append(got, line) }}
			for _, p := range tt.writes {
				if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
					t.Errorf("Write(%q) = %d, %v, want %d, nil", p, n, err, len(p))
				}
			}
			if err := w.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLongLineCutsNoSecret moves a secret over every place where a line
// without end may be cut.
func TestLongLineCutsNoSecret(t *testing.T) {
	t.Parallel()
	secrets := &secret.Set{}
	secrets.Add("correct-horse")
	for before := 60 << 10; before < 66<<10; before += 97 {
		var lines []string
		w := workflow.LineWriter{Line: func(line string) { lines = append(lines, line) }, Secrets: secrets}
		_, _ = w.Write([]byte(strings.Repeat("x", before) + "correct-"))
		_, _ = w.Write([]byte("horse" + strings.Repeat("y", 8<<10)))
		_ = w.Close()
		if len(lines) < 2 {
			t.Fatalf("%d characters made %d lines, want more", before+13+8<<10, len(lines))
		}
		if got := secrets.RedactString(strings.Join(lines, "")); strings.Count(got, "***") != 1 || strings.Contains(strings.Join(lines, "|"), "correct-|") {
			t.Fatalf("with %d characters before it, the secret was cut", before)
		}
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	r, out := newRunner(t, nil)
	w := r.Writer()
	_, _ = w.Write([]byte("a\n::error"))
	_, _ = w.Write([]byte("::x"))
	_ = w.Close()
	if got, want := out.String(), "a\n\\::error::x\n"; got != want {
		t.Errorf("log = %q, want %q", got, want)
	}
}

// registered are the commands of a runner.
var registered = []string{
	"stop-commands", "set-env", "set-output", "save-state", "add-mask", "add-path",
	"add-matcher", "remove-matcher", "error", "warning", "notice", "debug", "group", "endgroup", "echo",
}

// obeyed parses text as a runner does, and returns the first command in it.
// Where the runner compares by culture we take every reading it may have: as
// it stands, and without the characters that a culture ignores.
func obeyed(text string) (command string, found bool) {
	ignored := func(c rune) rune {
		if unicode.In(c, unicode.Cf, unicode.Mn) || unicode.IsControl(c) && !unicode.IsSpace(c) {
			return -1
		}
		return c
	}
	for line := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '\n' || c == '\r' }) {
		for _, reading := range []string{line, strings.Map(ignored, line)} {
			if rest, ok := strings.CutPrefix(strings.TrimLeftFunc(reading, unicode.IsSpace), "::"); ok {
				if info, _, ok := strings.Cut(rest, "::"); ok && isRegistered(info) {
					return reading, true
				}
			}
			if _, rest, ok := strings.Cut(reading, "##["); ok {
				if info, _, ok := strings.Cut(rest, "]"); ok && isRegistered(info) {
					return reading, true
				}
			}
		}
	}
	return "", false
}

func isRegistered(info string) bool {
	name, _, _ := strings.Cut(info, " ")
	return slices.Contains(registered, strings.ToLower(name))
}

func TestObeyed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"::error::x":                true,
		"  ::ERROR file=a,line=1::": true,
		"a ##[group]x":              true,
		"a\r::endgroup::":           true,
		":\u200b:error::x":          true,
		"a ::error::x":              false,
		"::unknown::x":              false,
		"::error x":                 false,
	} {
		if _, got := obeyed(text); got != want {
			t.Errorf("obeyed(%q) = %v, want %v", text, got, want)
		}
	}
}

func FuzzDefuse(f *testing.F) {
	for _, text := range []string{
		"::error::x", " ::add-mask::x", "##[error]x", "###[[error]", "a\r\n::group::b", "\u200b::error::",
		"::stop-commands::abcdefg", "#\u200b#[error]x", ":\u0301:error::", "\x00::error::", "##[##[error]", ":##[:",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		defused := workflow.Defuse(text)
		if line, found := obeyed(defused); found {
			t.Errorf("Defuse(%q): the runner obeys %q", text, line)
		}
		if shown := strings.ReplaceAll(defused, `\`, ""); shown != strings.ReplaceAll(text, `\`, "") {
			t.Errorf("Defuse(%q) = %q changes more than it has to", text, defused)
		}
	})
}

// FuzzCommand checks that no argument escapes from its command: the runner
// sees one command, of the kind that was meant.
func FuzzCommand(f *testing.F) {
	f.Add("a\nb", "c")
	f.Add("%0A::error::x", "\r\n::error::")
	f.Fuzz(func(t *testing.T, text, title string) {
		r, out := newRunner(t, nil)
		r.Group(title)
		r.Warning(text)
		r.Print(text)
		lines := strings.SplitN(out.String(), "\n", 3)
		if !strings.HasPrefix(lines[0], "::group::") || !strings.HasPrefix(lines[1], "::warning::") {
			t.Fatalf("commands = %q", lines)
		}
		if strings.Contains(lines[0]+lines[1], "\r") {
			t.Errorf("a carriage return ends a command: %q", lines[:2])
		}
		if line, found := obeyed(lines[2]); found {
			t.Errorf("the runner obeys %q", line)
		}
	})
}
