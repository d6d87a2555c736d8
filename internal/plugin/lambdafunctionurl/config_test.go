package lambdafunctionurl

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// wantProblem checks what a user is told.
func wantProblem(t *testing.T, err error, summary, detail string) *diag.Problem {
	t.Helper()
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || !strings.Contains(problem.Summary, summary) || !strings.Contains(problem.Detail, detail) {
		t.Fatalf("the error is %#v, want a problem that says %q and %q", err, summary, detail)
	}
	return problem
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg                   Config
		summary, detail, attr string
	}{
		"auth type":      {Config{AuthType: "AWS-IAM"}, `no auth_type "AWS-IAM"`, "AWS_IAM", "auth_type"},
		"useless caller": {Config{Principal: "123456789012"}, "Everyone may call", "123456789012", "principal"},
		"age":            {Config{CORS: &CORS{MaxAge: 90000}}, "90000 seconds", "86400", "cors.max_age"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := openReleaser(component.Host{}, c.cfg)
			if problem := wantProblem(t, err, c.summary, c.detail); problem.Attr != c.attr {
				t.Errorf("the problem is at %q, want %q", problem.Attr, c.attr)
			}
		})
	}
}

func TestAuthTypeInAnyCase(t *testing.T) {
	t.Parallel()
	cfg := Config{AuthType: "aws_iam"}
	if err := cfg.complete(); err != nil || cfg.AuthType != "AWS_IAM" || cfg.Principal != "*" {
		t.Errorf("complete() = %v, %+v, want AWS_IAM for everyone", err, cfg)
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		now     routing
		version string
		percent int
		want    routing
	}{
		"all":                        {routing{"1", nil}, "2", 100, routing{"2", nil}},
		"a share":                    {routing{"1", nil}, "2", 10, routing{"1", map[string]float64{"2": 0.1}}},
		"a larger share":             {routing{"1", map[string]float64{"2": 0.1}}, "2", 50, routing{"1", map[string]float64{"2": 0.5}}},
		"all after a share":          {routing{"1", map[string]float64{"2": 0.5}}, "2", 100, routing{"2", nil}},
		"back":                       {routing{"1", map[string]float64{"2": 0.5}}, "1", 100, routing{"1", nil}},
		"another share":              {routing{"1", map[string]float64{"2": 0.5}}, "3", 10, routing{"1", map[string]float64{"3": 0.1}}},
		"less of what serves":        {routing{"1", map[string]float64{"2": 0.5}}, "1", 20, routing{"2", map[string]float64{"1": 0.2}}},
		"a share of what has it all": {routing{"1", nil}, "1", 20, routing{"1", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.now.to(c.version, c.percent); !got.equal(c.want) {
				t.Errorf("%v, with %d%% to version %s, becomes %v, want %v", c.now, c.percent, c.version, got, c.want)
			}
		})
	}
}

// A share that is taken away must be said, and not left out.
func TestRoutingWithoutSharesIsSent(t *testing.T) {
	t.Parallel()
	got := (routing{version: "1"}).config().AdditionalVersionWeights
	if got == nil || !maps.Equal(got, map[string]float64{}) {
		t.Errorf("config() sends the shares %v, want an empty map", got)
	}
}

func TestSameCORS(t *testing.T) {
	t.Parallel()
	cfg := Config{CORS: &CORS{AllowHeaders: []string{"Content-Type"}, MaxAge: 5}}
	live := &types.Cors{AllowHeaders: []string{"content-type"}, MaxAge: new(int32(5))}
	if !sameCORS(live, cfg.cors()) {
		t.Error("headers in another case are taken for a difference")
	}
	if sameCORS(live, (&Config{}).cors()) || !sameCORS(nil, (&Config{}).cors()) {
		t.Error("no CORS differs from no CORS, or equals some")
	}
}
