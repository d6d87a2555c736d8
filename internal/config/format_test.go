package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/config"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ source, want string }{
		"layout": {
			source: "project=\"shop\"\napp \"web\" {\nlabels={a=1}\n      path   =  \"./web\"\n}\n",
			want:   "project = \"shop\"\napp \"web\" {\n  labels = { a = 1 }\n  path   = \"./web\"\n}\n",
		},
		"comments stay": {
			source: "# first\napp /* which */ web { // trailing\n# inside\n}\n# last",
			want:   "# first\napp /* which */ \"web\" { // trailing\n  # inside\n}\n# last",
		},
		"labels": {
			source: "a b \"c\" d {}\n",
			want:   "a \"b\" \"c\" \"d\" {}\n",
		},
		"only an interpolation": {
			source: "a = \"${var.x}\"\nb { c = \"${ upper(\"y\") }\" }\n",
			want:   "a = var.x\nb { c = upper(\"y\") }\n",
		},
		"interpolation in interpolation": {
			source: "a = \"${\"${x}\"}\"\n",
			want:   "a = x\n",
		},
		"strip markers go": {
			source: "a = \"${~ x ~}\"\n",
			want:   "a = x\n",
		},
		"interpolation with more": {
			source: "a = \"${x} \"\nb = \"${x}${y}\"\nc = \"$${x}\"\nd = \"%{if x}y%{endif}\"\n",
			want:   "a = \"${x} \"\nb = \"${x}${y}\"\nc = \"$${x}\"\nd = \"%{if x}y%{endif}\"\n",
		},
		"an interpolation that is part of a value": {
			source: "a = { \"${x}\" = \"${y}\" }\nb = [\"${x}\"]\n",
			want:   "a = { \"${x}\" = \"${y}\" }\nb = [\"${x}\"]\n",
		},
		"lines that only brackets allow": {
			source: "a = \"${x ? y :\n  z}\"\nb = \"${merge(\n  x, y\n)}\"\n",
			want:   "a = \"${x ? y :\nz}\"\nb = merge(\n  x, y\n)\n",
		},
		"a comment in an interpolation": {
			source: "a { b = \"${x # why\n}\" }\n",
			want:   "a { b = \"${x # why\n}\" }\n",
		},
		"a here-document": {
			source: "a=<<EOT\n  ${x}\n  k=v\nEOT\nb  = <<-EOT\n    y\n  EOT\n",
			want:   "a = <<EOT\n  ${x}\n  k=v\nEOT\nb = <<-EOT\n    y\n  EOT\n",
		},
		"line ends of Windows": {
			source: "a=1\r\nb {\r\nc=<<EOT\r\n x=1\r\nEOT\r\n}\r\n",
			want:   "a = 1\r\nb {\r\n  c = <<EOT\r\n x=1\r\nEOT\r\n}\r\n",
		},
		"byte order mark": {
			source: "\xef\xbb\xbfa=\"${x}\"\n",
			want:   "\xef\xbb\xbfa = x\n",
		},
		"values of variables": {
			source: "name=\"a\"\nlonger_name=[1,2]\n",
			want:   "name        = \"a\"\nlonger_name = [1, 2]\n",
		},
		"nothing": {},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, diags := config.Format([]byte(tt.source), "waypoint.hcl")
			if diff := cmp.Diff(tt.want, string(got)); diff != "" || len(diags) > 0 {
				t.Errorf("Format: %v (-want +got):\n%s", diags, diff)
			}
			again, _, _ := config.Format(got, "waypoint.hcl")
			if diff := cmp.Diff(string(got), string(again)); diff != "" {
				t.Errorf("formatting twice changes it again (-once +twice):\n%s", diff)
			}
		})
	}
}

func TestFormatRefusesWhatDoesNotParse(t *testing.T) {
	t.Parallel()
	got, file, diags := config.Format([]byte("app \"web\" {\n  build {\n"), "waypoint.hcl")
	if got != nil || file == nil || !diags.HasErrors() {
		t.Fatalf("Format = %q, %v, %v, want diagnostics and the file", got, file, diags)
	}
	if d := diags[0]; d.Subject == nil || d.Subject.Filename != "waypoint.hcl" || !strings.Contains(d.Summary, "Unclosed") {
		t.Errorf("diagnostic %v, want that of the unclosed block in its file", d)
	}
}

// FuzzFormat holds that formatting ends, that its result parses, and that it
// has nothing left to format.
func FuzzFormat(f *testing.F) {
	for _, seed := range []string{
		"a = \"${x}\"\n", "a b {\n c=\"${\"${y}\"}\" }\n", "a=<<EOT\r\n${x}\r\nEOT\r\n", "\xef\xbb\xbfa=1", "a = \"${(x\n)}\" # c\n",
		"a={b=[1,\n2]}\n", "/* x */ a b /* y */ { }", "a = \"${[for x in y : x\n]}\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		once, _, diags := config.Format(source, "waypoint.hcl")
		if diags.HasErrors() {
			return
		}
		twice, _, diags := config.Format(once, "waypoint.hcl")
		if diags.HasErrors() {
			t.Fatalf("%q became %q, which does not parse: %v", source, once, diags)
		}
		if string(once) != string(twice) {
			t.Errorf("%q became %q, and that became %q", source, once, twice)
		}
	})
}
