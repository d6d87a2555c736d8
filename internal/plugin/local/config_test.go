package local_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/local"
)

// Every value that cannot be meant is reported at its attribute, with the value
// and the remedy.
func TestConfigProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config local.PlatformConfig
		attr   string
		detail string
	}{
		"port below":          {local.PlatformConfig{FrontPort: -1}, "front_port", "-1 is no port"},
		"port above":          {local.PlatformConfig{ServicePort: 70000}, "service_port", "70000 is no port"},
		"protocol":            {local.PlatformConfig{Protocol: "udp"}, "protocol", "\"http\" or \"tcp\""},
		"duration":            {local.PlatformConfig{HealthTimeout: "30"}, "health_timeout", "\"30\" is no duration"},
		"duration of nothing": {local.PlatformConfig{StopTimeout: "0s"}, "stop_timeout", "above zero"},
		"relative path":       {local.PlatformConfig{HealthPath: "healthz"}, "health_path", "\"/healthz\""},
		"path without HTTP":   {local.PlatformConfig{HealthPath: "/healthz", Protocol: "tcp"}, "health_path", "protocol is \"tcp\""},
	} {
		_, _, err := local.Plugin.Platform.Open(component.Host{}, decode(test.config))
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || problem.Attr != test.attr || !strings.Contains(problem.Detail, test.detail) {
			t.Errorf("%s: opening says %s, want a problem at %s with %q", name, describe(err), test.attr, test.detail)
		}
	}
}

// What was recorded once is read for ever.
func TestRecordedResults(t *testing.T) {
	t.Parallel()
	read := func(name string) json.RawMessage {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	d, err := local.Plugin.Platform.Load(read("deployment.1.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(local.Deployment{ID: "web-k2x7m4q9zd", Port: 20123, Protocol: "http"}, d); diff != "" {
		t.Errorf("deployment (-want +got):\n%s", diff)
	}
	if got, want := d.URL(), "http://127.0.0.1:20123"; got != want {
		t.Errorf("URL of the deployment = %q, want %q", got, want)
	}
	var names []string
	for name := range d.Vars() {
		names = append(names, name)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"id", "port", "url"}, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	r, err := local.Plugin.Releaser.Load(read("release.1.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.URL(), "tcp://127.0.0.1:20124"; got != want {
		t.Errorf("URL of the release = %q, want %q", got, want)
	}
}
