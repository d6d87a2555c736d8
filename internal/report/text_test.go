package report_test

import (
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/state"
)

func TestParseStatus(t *testing.T) {
	t.Parallel()
	type parsed struct {
		deployment string
		sequence   int
		digest     string
		ok         bool
	}
	cases := map[string]parsed{
		"released · web-7ndvpx7ahe · no. 12 · sha256:3f2c1a9b0d1e": {"web-7ndvpx7ahe", 12, "sha256:3f2c1a9b0d1e", true},
		"deployed · web-7ndvpx7ahe · no. 12":                       {"web-7ndvpx7ahe", 12, "", true},
		"released · web-7ndvpx7ahe · sha256:3f2c1a9b0d1e":          {"web-7ndvpx7ahe", 0, "sha256:3f2c1a9b0d1e", true},
		"deploy failed: no room · web-7ndvpx7ahe · no. 1":          {"web-7ndvpx7ahe", 1, "", true},
		"released · web-7ndvpx7ahe · no. 99999999999999999999":     {},
		"released · Web · no. 1":                                   {},
		"build is running":                                         {},
		"":                                                         {},
	}
	for text, want := range cases {
		var got parsed
		got.deployment, got.sequence, got.digest, got.ok = report.ParseStatus(text)
		if got != want {
			t.Errorf("ParseStatus(%q) = %+v, want %+v", text, got, want)
		}
	}
}

// What a status says is read back whole, whatever an operation has to say.
func TestStatusTextIsReadBack(t *testing.T) {
	t.Parallel()
	for _, message := range []string{"", "no room", strings.Repeat("ä very long story ", 100), "see · other-aaaaaaaaaa · no. 3 · sha256:000000000000", "two\nlines · x"} {
		for _, operation := range []string{"build", "deploy", "release"} {
			reporter, fake := newReporter(t)
			r := record(operation, state.Failed)
			r.Message = message
			if err := reporter.Report(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			text := fake.Statuses()[0].Description
			if n := len([]rune(text)); n > 140 || !strings.HasPrefix(text, operation+" failed:") {
				t.Errorf("the text has %d characters and is %q", n, text)
			}
			deployment, sequence, short, ok := report.ParseStatus(text)
			wantSequence := map[string]int{"deploy": 12}[operation] // a release alone does not know it
			if operation == "build" && ok || operation != "build" && (deployment != "web-7ndvpx7ahe" || sequence != wantSequence || !strings.HasPrefix(digest, short) || short == "") {
				t.Errorf("ParseStatus(%q) = %q, %d, %q, %v", text, deployment, sequence, short, ok)
			}
		}
	}
}

// What others recorded may be anything. It is told as far as it can be read
// back, and a text is never too long for it.
func TestStatusTextOfOddRecords(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	cases := map[string]struct {
		deployment, digest string
		sequence           int
		want               string // at the end
	}{
		"all is well":              {"web-1", "sha256:0123456789abcdef", 7, "deploy failed: no room · web-1 · no. 7 · sha256:0123456789ab"},
		"no sequence":              {"web-1", "sha256:0123456789abcdef", 0, "deploy failed: no room · web-1 · sha256:0123456789ab"},
		"a deployment of 300":      {long, "sha256:0123456789abcdef", 7, "deploy failed: no room"},
		"another deployment's":     {"a · web-1", "", 7, "deploy failed: no room"},
		"a sequence of ten digits": {"web-1", "", 1_000_000_000, "deploy failed: no room · web-1"},
		"no digest at all":         {"web-1", "größer als erlaubt", 7, "deploy failed: no room · web-1 · no. 7"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reporter, fake := newReporter(t)
			r := record("deploy", state.Failed)
			r.Deployment, r.Digest, r.Sequence, r.Message = c.deployment, c.digest, c.sequence, "no room"
			if err := reporter.Report(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if got := fake.Statuses()[0].Description; got != c.want {
				t.Errorf("the text is %q, want %q", got, c.want)
			}
		})
	}
}
