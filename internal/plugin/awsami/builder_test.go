package awsami_test

import (
	"encoding/xml"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/awsami"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// machineImage is an image as EC2 lists it.
type machineImage struct {
	ID    string `xml:"imageId"`
	Name  string `xml:"name"`
	Made  string `xml:"creationDate"`
	Owner string `xml:"imageOwnerId"`
}

// fakeEC2 lists all images, one a page, and keeps what it was asked.
type fakeEC2 struct {
	images []machineImage
	asked  []string
}

// ServeHTTP implements [http.Handler].
func (f *fakeEC2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.Form.Get("Action") != "DescribeImages" {
		http.Error(w, "unexpected request", http.StatusInternalServerError)
		return
	}
	page := 0
	if token := r.Form.Get("NextToken"); token != "" {
		page = int(token[0] - 'a')
	} else {
		f.asked = nil
		for name, values := range r.Form {
			if strings.HasPrefix(name, "Filter.") || strings.HasPrefix(name, "Owner.") {
				f.asked = append(f.asked, name+"="+values[0])
			}
		}
		slices.Sort(f.asked)
	}
	answer := struct {
		XMLName xml.Name       `xml:"DescribeImagesResponse"`
		Images  []machineImage `xml:"imagesSet>item"`
		Next    string         `xml:"nextToken,omitempty"`
	}{}
	if page < len(f.images) {
		answer.Images = f.images[page : page+1]
	}
	if page+1 < len(f.images) {
		answer.Next = string('a' + rune(page+1))
	}
	w.Header().Set("Content-Type", "text/xml")
	_ = xml.NewEncoder(w).Encode(answer) // a recorder's Write returns no error
}

var threeImages = []machineImage{
	{"ami-2", "web-2", "2026-03-01T10:00:00.000Z", "self"},
	{"ami-3", "web-3", "2026-11-09T10:00:00.000Z", "self"},
	{"ami-1", "web-1", "2026-09-30T10:00:00.000Z", "self"},
}

func TestBuilder(t *testing.T) {
	t.Parallel()
	plugintest.Builder(t, plugintest.BuilderCase{
		Plugin: awsami.Plugin,
		New: func(*testing.T, *plugintest.Calls) plugintest.World {
			return plugintest.World{
				Host: component.Host{
					HTTP: &http.Client{Transport: awsfake.InProcess(&fakeEC2{images: threeImages})}, Getenv: awsfake.Getenv,
				},
				Config: `name = "web-*"`,
				Reads:  awsfake.Reads,
			}
		},
	})
}

func build(t *testing.T, service *fakeEC2, c awsami.BuilderConfig) (artifact.Artifact, error) {
	t.Helper()
	builder, _, err := awsami.Plugin.Builder.Open(awsfake.Host(awsfake.Getenv, awsfake.InProcess(service)), func(into any) hcl.Diagnostics {
		*into.(*awsami.BuilderConfig) = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	return builder.Build(t.Context(), component.BuildRequest{})
}

// TestNewest takes it from wherever in the list it stands.
func TestNewest(t *testing.T) {
	t.Parallel()
	got, err := build(t, &fakeEC2{images: threeImages}, awsami.BuilderConfig{Region: "eu-west-1", Name: "web-*"})
	if want := (artifact.MachineImage{ID: "ami-3", Region: "eu-west-1"}); err != nil || got != want {
		t.Errorf("Build = %+v, %v, want %+v", got, err, want)
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		config awsami.BuilderConfig
		want   []string
	}{
		"name only": {
			awsami.BuilderConfig{Name: "web-*"},
			[]string{"Filter.1.Name=name", "Filter.1.Value.1=web-*", "Filter.2.Name=state", "Filter.2.Value.1=available", "Owner.1=self", "Owner.2=amazon"},
		},
		"all": {
			awsami.BuilderConfig{Owners: []string{"111122223333"}, Name: "web", Filters: map[string][]string{"state": {"pending", "available"}, "tag:team": {"blue"}}},
			[]string{
				"Filter.1.Name=name", "Filter.1.Value.1=web", "Filter.2.Name=state", "Filter.2.Value.1=pending", "Filter.2.Value.2=available",
				"Filter.3.Name=tag:team", "Filter.3.Value.1=blue", "Owner.1=111122223333",
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := &fakeEC2{images: threeImages[:1]}
			if _, err := build(t, service, c.config); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, service.asked); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		config  awsami.BuilderConfig
		summary string
		detail  string
	}{
		"none fits":          {awsami.BuilderConfig{Name: "api-*"}, "No machine image fits", "where `owners` names the account"},
		"none of the owner":  {awsami.BuilderConfig{Name: "api-*", Owners: []string{"111122223333"}}, "No machine image fits", `owners 111122223333 with name = ["api-*"]`},
		"all that there are": {awsami.BuilderConfig{}, "Any image would do", "Say which one is meant"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := build(t, &fakeEC2{}, c.config)
			problem, _ := errors.AsType[*diag.Problem](err)
			if problem == nil || problem.Summary != c.summary || problem.Attr != "name" || !strings.Contains(problem.Detail, c.detail) {
				t.Errorf("%v, want the problem %q with %q", err, c.summary, c.detail)
			}
		})
	}
}

// TestPolicy works with what docs/aws.md allows, and with nothing less.
func TestPolicy(t *testing.T) {
	t.Parallel()
	all := awsfake.Documented(t, "aws-ami")
	for _, without := range append([]string{""}, all...) {
		host := awsfake.Host(awsfake.Getenv, awsfake.Under(awsfake.Without(all, without), awsfake.InProcess(&fakeEC2{images: threeImages})))
		builder, _, err := awsami.Plugin.Builder.Open(host, func(into any) hcl.Diagnostics {
			*into.(*awsami.BuilderConfig) = awsami.BuilderConfig{Name: "web-*"}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := builder.Build(t.Context(), component.BuildRequest{}); (err == nil) != (without == "") {
			t.Errorf("without %q: %v", without, err)
		}
	}
}
