package terraformcloud_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/terraformcloud"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

const tokenSetting = "token = \"" + goodToken + "\"\n"

// open opens the source with settings in HCL and variables in the environment.
func open(t *testing.T, transport http.RoundTripper, settings string, environment map[string]string) (component.Sourcer, error) {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(settings), "waypoint.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	host := component.Host{
		HTTP:   &http.Client{Transport: transport},
		Getenv: func(name string) string { return environment[name] },
	}
	s, diags, err := terraformcloud.Plugin.Sourcer.Open(host, func(into any) hcl.Diagnostics {
		return gohcl.DecodeBody(file.Body, nil, into)
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s, err
}

// mustOpen opens the source on a fake with a good token.
func mustOpen(t *testing.T, f *fake) component.Sourcer {
	t.Helper()
	s, err := open(t, f, tokenSetting, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask is a key for an output, or for all outputs where it has no name.
func ask(workspace, output string) component.Key {
	params := map[string]string{"organization": "acme", "workspace": workspace}
	if output != "" {
		params["output"] = output
	}
	return component.Key{Var: "V", Params: params}
}

// shown is a reading as tests compare it.
type shown struct {
	Text   string
	Public bool
}

// read reads keys without any error.
func read(t *testing.T, s component.Sourcer, keys ...component.Key) []shown {
	t.Helper()
	readings, err := s.Read(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	var all []shown
	for i, r := range readings {
		if r.Err != nil {
			t.Errorf("key %d: %v", i, r.Err)
		}
		all = append(all, shown{r.Text.Reveal(), r.Public})
	}
	return all
}

func TestSourcerContract(t *testing.T) {
	t.Parallel()
	plugintest.Sourcer(t, plugintest.SourcerCase{
		Plugin: terraformcloud.Plugin,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			f := &fake{t: t, workspaces: map[string]workspace{
				"network": {outputs: []output{{name: "zone", value: `"eu-1"`}, {name: "password", value: `"a-sensitive-value"`, sensitive: true}}},
				"data":    {outputs: []output{{name: "port", value: `5432`}}},
			}}
			return plugintest.World{
				Host:    component.Host{HTTP: &http.Client{Transport: f}},
				Config:  tokenSetting,
				Secrets: []secret.Text{goodToken, "a-sensitive-value"},
			}
		},
		Keys:    []component.Key{ask("network", "password"), ask("data", "port"), ask("network", "zone"), ask("data", "")},
		Want:    []string{"a-sensitive-value", "5432", "eu-1", `{"port":5432}`},
		Unknown: ask("network", "absent"),
	})
}

func TestTypes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ value, want string }{
		"string":        {`"a \"b\" <c> & ü\n"`, "a \"b\" <c> & ü\n"},
		"empty string":  {`""`, ""},
		"JSON string":   {`"{\"a\": 1}"`, `{"a": 1}`},
		"whole number":  {`8080`, "8080"},
		"long number":   {`12345678901234567890`, "12345678901234567890"},
		"fraction":      {`0.1`, "0.1"},
		"true":          {`true`, "true"},
		"false":         {`false`, "false"},
		"list":          {`["a", "<b>", 9007199254740993]`, `["a","<b>",9007199254740993]`},
		"empty list":    {`[]`, `[]`},
		"map":           {`{"b": "1", "a": null}`, `{"a":null,"b":"1"}`},
		"nested object": {`{"hosts": [{"name": "x", "up": true}]}`, `{"hosts":[{"name":"x","up":true}]}`},
	} {
		for _, sensitive := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/sensitive=%t", name, sensitive), func(t *testing.T) {
				t.Parallel()
				f := &fake{t: t, workspaces: map[string]workspace{"w": {outputs: []output{{name: "o", value: c.value, sensitive: sensitive}}}}}
				got := read(t, mustOpen(t, f), ask("w", "o"))
				if diff := cmp.Diff([]shown{{c.want, !sensitive}}, got); diff != "" {
					t.Errorf("Read (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestAllOutputs(t *testing.T) {
	t.Parallel()
	f := &fake{t: t, workspaces: map[string]workspace{
		"open":    {outputs: []output{{name: "url", value: `"http://a/?b=1&c=<d>"`}, {name: "ids", value: `[1, 2]`}, {name: "none", value: `null`}}},
		"closed":  {outputs: []output{{name: "url", value: `"http://a"`}, {name: "key", value: `{"k": "s3cr3t"}`, sensitive: true}}},
		"without": {},
	}}
	emptyName := component.Key{Var: "V", Params: map[string]string{"organization": "acme", "workspace": "without", "output": ""}}
	got := read(t, mustOpen(t, f), ask("open", ""), ask("closed", ""), emptyName)
	want := []shown{
		{`{"ids":[1,2],"none":null,"url":"http://a/?b=1&c=<d>"}`, true},
		{`{"key":{"k":"s3cr3t"},"url":"http://a"}`, false},
		{`{}`, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
}

// TestRequests asks for much, twice, and counts what is sent for it.
func TestRequests(t *testing.T) {
	t.Parallel()
	f := &fake{t: t, workspaces: map[string]workspace{
		"a": {outputs: []output{
			{name: "plain", value: `"p"`},
			{name: "asked", value: `"s"`, sensitive: true},
			{name: "other", value: `"t"`, sensitive: true},
		}},
		"b": {outputs: []output{{name: "x", value: `"x"`, sensitive: true}, {name: "y", value: `"y"`, sensitive: true}}},
		"c": {outputs: []output{{name: "never asked for", value: `"c"`}}},
	}}
	keys := []component.Key{
		ask("a", "asked"), ask("b", "x"), ask("a", "plain"), ask("b", ""), ask("a", "asked"), ask("b", "x"),
	}
	got := read(t, mustOpen(t, f), keys...)
	want := []shown{{"s", false}, {"x", false}, {"p", true}, {`{"x":"x","y":"y"}`, false}, {"s", false}, {"x", false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
	requests := []string{
		"organizations/acme/workspaces/a", "organizations/acme/workspaces/b", "ping",
		"state-version-outputs/wsout-a.1", "state-version-outputs/wsout-b.0", "state-version-outputs/wsout-b.1",
		"workspaces/ws-a/current-state-version-outputs", "workspaces/ws-b/current-state-version-outputs",
	}
	if diff := cmp.Diff(requests, f.took()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestNothingToAsk has keys that cannot be asked for: no request is sent.
func TestNothingToAsk(t *testing.T) {
	t.Parallel()
	f := &fake{t: t}
	readings, err := mustOpen(t, f).Read(t.Context(), []component.Key{{Var: "V"}})
	if err != nil || len(readings) != 1 || len(f.took()) != 0 {
		t.Errorf("Read() = %v, %v with requests %q, want a reading and no request", readings, err, f.took())
	}
}

// TestSignInOnly reads no key: that shows whether the token is good.
func TestSignInOnly(t *testing.T) {
	t.Parallel()
	f := &fake{t: t}
	readings, err := mustOpen(t, f).Read(t.Context(), nil)
	if want := []string{"account/details", "ping"}; err != nil || len(readings) != 0 || !cmp.Equal(f.took(), want) {
		t.Errorf("Read() = %v, %v with requests %q, want no reading and %q", readings, err, f.took(), want)
	}
}

// TestManyOutputs reads more outputs than fit on one page, where the service
// sends them at once and where it sends pages.
func TestManyOutputs(t *testing.T) {
	t.Parallel()
	var outputs []output
	for i := range 250 {
		outputs = append(outputs, output{name: fmt.Sprintf("o%03d", i), value: fmt.Sprint(i)})
	}
	for size, lists := range map[int]int{0: 1, 100: 3, 20: 13} {
		t.Run(fmt.Sprintf("pages of %d", size), func(t *testing.T) {
			t.Parallel()
			f := &fake{t: t, pageSize: size, workspaces: map[string]workspace{"w": {outputs: outputs}}}
			got := read(t, mustOpen(t, f), ask("w", "o000"), ask("w", "o249"), ask("w", ""))
			if got[0].Text != "0" || got[1].Text != "249" || strings.Count(got[2].Text, ":") != 250 {
				t.Errorf("Read = %v, want the first, the last and all 250", got)
			}
			if sent := len(f.took()); sent != 2+lists {
				t.Errorf("%d requests are sent, want a greeting, a workspace and %d lists", sent, lists)
			}
		})
	}
}
