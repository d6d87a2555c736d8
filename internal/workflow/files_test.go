package workflow

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// newFileRunner returns a runner in a job with a file for each of its two uses.
func newFileRunner(t *testing.T) (r *Runner, output, summary string) {
	t.Helper()
	dir := t.TempDir()
	output, summary = filepath.Join(dir, "output"), filepath.Join(dir, "summary")
	environ := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": summary}
	return New(func(name string) string { return environ[name] }, &strings.Builder{}), output, summary
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSetOutput(t *testing.T) {
	t.Parallel()
	r, output, _ := newFileRunner(t)
	r.Secrets = &secret.Set{}
	r.Secrets.Add("correct-horse")
	for _, value := range []string{"https://web.example.com", "{\n}", "correct-horse"} {
		if err := r.SetOutput("url", value); err != nil {
			t.Errorf("SetOutput(%q) = %v", value, err)
		}
	}
	got := read(t, output)
	delimiters := regexp.MustCompile(`ghadelimiter_[A-Z2-7]{26}`).FindAllString(got, -1)
	if len(delimiters) != 6 || delimiters[0] != delimiters[1] || delimiters[0] == delimiters[2] {
		t.Fatalf("delimiters = %q, want three pairs, each another one", delimiters)
	}
	want := "url<<A\nhttps://web.example.com\nA\nurl<<B\n{\n}\nB\nurl<<C\n***\nC\n"
	for i, letter := range []string{"A", "B", "C"} {
		got = strings.ReplaceAll(got, delimiters[2*i], letter)
	}
	if got != want {
		t.Errorf("outputs = %q, want %q", got, want)
	}
}

func TestHeredocRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ name, value string }{
		"delimiter in the value":  {"url", "a\nDELIMITER\nadmin=true"},
		"delimiter inside a line": {"url", "xDELIMITERx"},
		"no name":                 {"", "a"},
		"name that assigns":       {"a=b", "a"},
		"name of two lines":       {"a\nb", "a"},
		"name that begins a text": {"a<<b", "a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := heredoc(tt.name, tt.value, "DELIMITER"); err == nil {
				t.Errorf("heredoc(%q, %q) = %q, want an error", tt.name, tt.value, got)
			}
		})
	}
}

func TestFilesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": filepath.Join(t.TempDir(), "no", "such", "folder")}
	r := New(func(name string) string { return environ[name] }, &strings.Builder{})
	if err := r.SetOutput("url", "x"); err == nil || !strings.Contains(err.Error(), "GITHUB_OUTPUT is not set") {
		t.Errorf("SetOutput = %v, want that the variable is not set", err)
	}
	if err := r.AppendSummary("x"); err == nil || !strings.Contains(err.Error(), "GITHUB_STEP_SUMMARY") {
		t.Errorf("AppendSummary = %v, want an error that names the variable", err)
	}
}

func TestAppendSummary(t *testing.T) {
	t.Parallel()
	r, _, summary := newFileRunner(t)
	for _, markdown := range []string{"# Title", "text\n"} {
		if err := r.AppendSummary(markdown); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := read(t, summary), "# Title\ntext\n"; got != want {
		t.Errorf("summary = %q, want %q", got, want)
	}
}

func TestSummaryStaysUnderTheLimit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before int // bytes that are in the file already
		parts  []string
		noted  bool
	}{
		"one large part":      {0, []string{strings.Repeat("a line\n", 200_000)}, true},
		"one large line":      {0, []string{strings.Repeat("ü", 1<<20)}, true},
		"many parts":          {0, []string{strings.Repeat("a\n", 300_000), strings.Repeat("b\n", 300_000), "c"}, true},
		"written by others":   {1 << 19, []string{strings.Repeat("a\n", 300_000)}, true},
		"full":                {1 << 20, []string{"a"}, false},
		"as much as there is": {0, []string{strings.Repeat("x", summaryLimit-len(summaryNote)-1)}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _, summary := newFileRunner(t)
			if err := os.WriteFile(summary, []byte(strings.Repeat(".", tt.before)), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, part := range tt.parts {
				if err := r.AppendSummary(part); err != nil {
					t.Fatal(err)
				}
			}
			got := read(t, summary)
			if len(got) > 1<<20 {
				t.Errorf("the summary has %d bytes, the runner takes %d", len(got), 1<<20)
			}
			if noted := strings.HasSuffix(got, summaryNote); noted != tt.noted {
				t.Errorf("ends with the note: %v, want %v", noted, tt.noted)
			}
			if !utf8.ValidString(got) {
				t.Error("a character was cut")
			}
			if tt.noted && len(got) < 1<<20-len(summaryNote)-16 {
				t.Errorf("the summary has %d bytes only", len(got))
			}
		})
	}
}

func TestRunnerIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r, output, _ := newFileRunner(t)
	done := make(chan error)
	calls := map[string]func() error{
		"output":  func() error { return r.SetOutput("a", "b") },
		"summary": func() error { return r.AppendSummary("a") },
		"print":   func() error { r.Print("a"); return nil },
		"group":   func() error { r.Group("a")(); return nil },
		"mask":    func() error { r.Mask("abcd"); return nil },
		"context": func() error { return r.Context().EventErr },
	}
	for range 8 {
		for _, call := range calls {
			go func() { done <- call() }()
		}
	}
	for range 8 * len(calls) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := strings.Count(read(t, output), "a<<"); got != 8 {
		t.Errorf("%d outputs were written, want 8", got)
	}
}
