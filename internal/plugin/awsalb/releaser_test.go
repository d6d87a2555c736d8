package awsalb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/awsalb"
)

func tryOpen(t *testing.T, host component.Host, body string) (component.AnyReleaser, error) {
	t.Helper()
	r, diags, err := awsalb.Plugin.Releaser.Open(host, func(into any) hcl.Diagnostics {
		file, diags := hclparse.NewParser().ParseHCL([]byte(body), "waypoint.hcl")
		if diags.HasErrors() {
			return diags
		}
		return gohcl.DecodeBody(file.Body, nil, into)
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return r, err
}

func wantProblem(t *testing.T, err error, attr, says string) {
	t.Helper()
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Attr != attr || !strings.Contains(problem.Summary+" "+problem.Detail, says) {
		t.Errorf("got %+v, want a problem at %q that says %q", err, attr, says)
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ body, attr, says string }{
		"port":     {`port = 65536`, "port", "65536"},
		"name":     {`name = "a_b"`, "name", `"a_b"`},
		"internal": {`name = "internal-web"`, "name", `without "internal-"`},
		"zone":     {`zone_id = "Z1"`, "zone_id", "Set domain_name too"},
		"listener": {`listener_arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/50dc"`, "listener_arn", "ARN of a load balancer's listener"},
		"wait":     {`alarm_wait = "soon"`, "alarm_wait", `"soon"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tryOpen(t, component.Host{}, c.body)
			wantProblem(t, err, c.attr, c.says)
		})
	}
}
