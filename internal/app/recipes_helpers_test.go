package app_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	yaml "github.com/zclconf/go-cty-yaml"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// recipeSource returns a workflow of docs/recipes by its place in a repository:
// the first one that the page has for it.
func recipeSource(t *testing.T, page, place string) string {
	t.Helper()
	return recipeSources(t, page, place)[0]
}

// recipeSources returns all workflows that a page of docs/recipes has for one
// place in a repository, in the order of the page.
func recipeSources(t *testing.T, page, place string) (sources []string) {
	t.Helper()
	block := regexp.MustCompile("(?ms)^```yaml\n(# " + regexp.QuoteMeta(place) + "\n.*?)^```$")
	for _, found := range block.FindAllStringSubmatch(textOf(t, filepath.Join("../../docs/recipes", page)), -1) {
		sources = append(sources, found[1])
	}
	if sources == nil {
		t.Fatalf("docs/recipes/%s has no %s", page, place)
	}
	return sources
}

// recipeJob is a job that users copy: what its token may do, and what its one
// step of ours is given.
type recipeJob struct {
	Permissions map[string]string
	Steps       []struct {
		Uses string
		With map[string]any
	}
}

// recipeJobOf returns a job of a workflow of docs/recipes.
func recipeJobOf(t *testing.T, page, place, name string) recipeJob {
	t.Helper()
	job, ok := jobsOf(t, recipeSource(t, page, place))[name]
	if !ok {
		t.Fatalf("%s of docs/recipes/%s has no job %s", place, page, name)
	}
	return job
}

// jobsOf returns the jobs of a workflow, each with what its token may do.
func jobsOf(t *testing.T, workflow string) map[string]recipeJob {
	t.Helper()
	source := []byte(workflow)
	kind, err := yaml.Standard.ImpliedType(source)
	if err != nil {
		t.Fatal(err)
	}
	value, err := yaml.Standard.Unmarshal(source, kind)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(ctyjson.SimpleJSONValue{Value: value})
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Permissions map[string]string
		Jobs        map[string]recipeJob
	}
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	for name, job := range read.Jobs {
		if job.Permissions == nil {
			job.Permissions = read.Permissions
			read.Jobs[name] = job
		}
	}
	return read.Jobs
}

// allow gives the token of the steps what the job's may do.
func (j recipeJob) allow(github *githubfake.Fake) {
	github.AddToken(githubfake.Token{Text: stepToken, Permissions: j.permissions()})
}

// permissions returns what the job's token may do, as [githubfake.Token] says it.
func (j recipeJob) permissions() (may []string) {
	for scope, level := range j.Permissions {
		may = append(may, scope+": "+level)
	}
	return may
}

// inputs allows the job what it may do, and returns the inputs of the action as
// the runner hands them on. Values are pairs of an expression and what it is.
func (j recipeJob) inputs(t *testing.T, github *githubfake.Fake, values ...string) []string {
	t.Helper()
	j.allow(github)
	inputs := []string{"INPUT_COMMAND=up", withPost}
	for _, s := range j.Steps {
		if s.Uses != "deploy-action/deploy-action@v1" {
			continue
		}
		for name, value := range s.With {
			text := strings.NewReplacer(values...).Replace(fmt.Sprint(value))
			if strings.Contains(text, "${{") {
				t.Fatalf("nobody says what this is: %s", text)
			}
			inputs = append(inputs, "INPUT_"+strings.ToUpper(name)+"="+text)
		}
	}
	return inputs
}

// outputOf returns an output of one line that a step has set.
func outputOf(t *testing.T, path, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(textOf(t, path), name+"<<")
	lines := strings.Split(rest, "\n")
	if !ok || len(lines) < 2 {
		t.Fatalf("there is no output %s in\n%s", name, textOf(t, path))
	}
	return lines[1]
}
