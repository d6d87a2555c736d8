package ui

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestSanitize(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, colored, plain string }{
		"plain":            {"héllo\tworld", "héllo\tworld", "héllo\tworld"},
		"colour":           {"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m", "red"},
		"colour left on":   {"\x1b[31mred", "\x1b[31mred\x1b[0m", "red"},
		"cursor":           {"a\x1b[2J\x1b[1;1Hb\x1b[?25lc", "abc", "abc"},
		"title":            {"a\x1b]0;title\ab", "ab", "ab"},
		"link":             {"\x1b]8;;https://x\x1b\\text\x1b]8;;\x1b\\", "text", "text"},
		"device string":    {"a\x1bPq#0\x1b\\b", "ab", "ab"},
		"reset of all":     {"a\x1bcb", "ab", "ab"},
		"character set":    {"a\x1b(0b", "ab", "ab"},
		"cut short":        {"a\x1b[31", "a", "a"},
		"title cut short":  {"a\x1b]0;title", "a", "a"},
		"title broken off": {"a\x1b]0;title\x1b[31mb\x1b[m", "a\x1b[31mb\x1b[m", "ab"},
		"escape at last":   {"a\x1b", "a", "a"},
		"control":          {"a\x00\b\r\x7fb\u009b31mc", "ab31mc", "ab31mc"},
		"not UTF-8":        {"a\xffb\x9bc", "a�b�c", "a�b�c"},
		"not only colour":  {"\x1b[>4;2mx", "x", "x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := sanitize(tt.text, true); got != tt.colored {
				t.Errorf("sanitize(%q, true) = %q, want %q", tt.text, got, tt.colored)
			}
			if got := sanitize(tt.text, false); got != tt.plain {
				t.Errorf("sanitize(%q, false) = %q, want %q", tt.text, got, tt.plain)
			}
		})
	}
}

func FuzzSanitize(f *testing.F) {
	for _, text := range []string{"\x1b[31mred", "\x1b]0;x\a", "\x1bP\x1b[1m", "a\x9b\xff", "\x1b \x1b["} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := sanitize(text, false); strings.IndexFunc(got, control) >= 0 || !utf8.ValidString(got) {
			t.Errorf("sanitize(%q, false) = %q", text, got)
		}
		got := sanitize(text, true)
		for rest := got; ; {
			i := strings.IndexFunc(rest, control)
			if i < 0 {
				break
			}
			sequence := rest[i:]
			if sequence[0] != '\x1b' || !isColor(sequence[:sequenceLength(sequence)]) {
				t.Fatalf("sanitize(%q, true) = %q", text, got)
			}
			rest = sequence[sequenceLength(sequence):]
		}
	})
}

func TestFormatDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                                        "0.0s",
		149 * time.Millisecond:                   "0.1s",
		59*time.Second + 999999*time.Microsecond: "59.9s",
		time.Minute:                              "1m00s",
		61*time.Minute + 5*time.Second:           "1h01m",
		25 * time.Hour:                           "25h00m",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("formatDuration(%v) = %q, want %q", d, got, want)
		}
	}
}
