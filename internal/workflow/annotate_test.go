package workflow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

// subject returns a range of lines and columns in waypoint.hcl.
func subject(startLine, startColumn, endLine, endColumn int) *hcl.Range {
	return &hcl.Range{
		Filename: "waypoint.hcl",
		Start:    hcl.Pos{Line: startLine, Column: startColumn, Byte: 100*startLine + startColumn},
		End:      hcl.Pos{Line: endLine, Column: endColumn, Byte: 100*endLine + endColumn},
	}
}

func TestAnnotate(t *testing.T) {
	t.Parallel()
	inFile := func(name string) *hcl.Range {
		r := subject(1, 1, 1, 2)
		r.Filename = name
		return r
	}
	const place = "endColumn=1,endLine=1,file=%s,line=1,title=S::D\n"
	tests := map[string]struct {
		diag hcl.Diagnostic
		want string
	}{
		"one line": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: "S", Detail: "D", Subject: subject(3, 5, 3, 9)},
			"::error col=5,endColumn=8,endLine=3,file=waypoint.hcl,line=3,title=S::D\n",
		},
		"empty range": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: "S", Detail: "D", Subject: subject(3, 5, 3, 5)},
			"::error col=5,endColumn=5,endLine=3,file=waypoint.hcl,line=3,title=S::D\n",
		},
		"several lines": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: "S", Detail: "D", Subject: subject(3, 5, 5, 2)},
			"::error endLine=5,file=waypoint.hcl,line=3,title=S::D\n",
		},
		"up to a line end": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: "S", Detail: "D", Subject: subject(3, 5, 4, 1)},
			"::error endLine=3,file=waypoint.hcl,line=3,title=S::D\n",
		},
		"no place": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: "S", Detail: "D"},
			"::error title=S::D\n",
		},
		"no detail": {
			hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "S"},
			"::warning::S\n",
		},
		"escaping": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: "a, b: 100%", Detail: "line\n::error::line"},
			"::error title=a%2C b%3A 100%25::line%0A::error::line\n",
		},
		"absolute path": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: "S", Detail: "D", Subject: inFile("/github/workspace/apps/waypoint.hcl")},
			"::error col=1," + fmt.Sprintf(place, "apps/waypoint.hcl"),
		},
		"relative path": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: "S", Detail: "D", Subject: inFile("./apps/waypoint.hcl")},
			"::error col=1," + fmt.Sprintf(place, "apps/waypoint.hcl"),
		},
		"outside the repository": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: "S", Detail: "D", Subject: inFile("/etc/vars.hcl")},
			"::error title=S::D\n",
		},
		"a variable's value": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: "S", Detail: "D", Subject: inFile("")},
			"::error title=S::D\n",
		},
		"long message": {
			hcl.Diagnostic{Severity: hcl.DiagError, Summary: strings.Repeat("ü", 5000)},
			"::error::" + strings.Repeat("ü", 4095) + "…\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, out := newRunner(t, nil)
			r.Annotate(hcl.Diagnostics{&tt.diag})
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("annotation (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnnotateKeepsTenOfEachKind(t *testing.T) {
	t.Parallel()
	var diags hcl.Diagnostics
	for line := 12; line >= 1; line-- {
		diags = append(diags,
			&hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "W", Subject: subject(line, 1, line, 2)},
			&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "E", Subject: subject(line, 1, line, 2)},
		)
	}
	r, out := newRunner(t, nil)
	r.Warning("one before")
	out.Reset()
	r.Annotate(diags)

	var want strings.Builder
	for line := 1; line <= 10; line++ {
		fmt.Fprintf(&want, "::error col=1,endColumn=1,endLine=%d,file=waypoint.hcl,line=%d::E\n", line, line)
	}
	for line := 1; line <= 9; line++ {
		fmt.Fprintf(&want, "::warning col=1,endColumn=1,endLine=%d,file=waypoint.hcl,line=%d::W\n", line, line)
	}
	want.WriteString("::notice::5 more problems are in the log.\n")
	if diff := cmp.Diff(want.String(), out.String()); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}

func TestAnnotateLeavesItsArgument(t *testing.T) {
	t.Parallel()
	diags := hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "W"}, {Severity: hcl.DiagError, Summary: "E"}}
	r, _ := newRunner(t, nil)
	r.Annotate(diags)
	if diags[0].Summary != "W" {
		t.Error("Annotate sorted the diagnostics of its caller")
	}
}
