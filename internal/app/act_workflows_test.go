//go:build servers

package app_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/state"
)

// promotion deploys two versions to staging and from there to production.
func promotion(t *testing.T, r *runner) {
	const place = ".github/workflows/promote.yml"
	p := newProject(t, r, map[string]string{
		place:        recipe(t, "promotion.md", place),
		"Dockerfile": dockerfile,
		"waypoint.hcl": `project = "shop"

app "web" {
  build {
    use "docker" {}
    registry {
      use "docker" {
        image = "` + r.images + `/shop/web"
        tag   = gitrefhash()
      }
    }
  }
  deploy {
    use "docker" {
      service_port = 8080
    }
  }
}
`,
	})
	p.network = "host" // where the registry's loopback address is that of the engine, too
	copyFile(t, "/bin/busybox", filepath.Join(p.folder, "busybox"))
	defer removeDeployments(t, r)
	for _, version := range []string{"first\n", "second\n"} {
		p.change(t, "www/index.html", version)
		p.startRecipe(t, place, "push")
		if diff := cmp.Diff(map[string]string{"web in staging": version, "web in production": version}, p.pages(t)); diff != "" {
			t.Errorf("what users get (-want +got):\n%s", diff)
		}
	}
	staging, production := p.deployed(t, "web.staging"), p.deployed(t, "web.production")
	if staging.Digest == "" || staging.Digest != production.Digest {
		t.Errorf("staging has %q, production %q", staging.Digest, production.Digest)
	}
	if reason := production.Origin.Reason; !strings.HasPrefix(reason, "approved at http://") {
		t.Errorf("production was deployed because of %q", reason)
	}
}

// deployed returns the newest deploy in the newest state of "APP.WORKSPACE".
func (p *project) deployed(t *testing.T, of string) state.Record {
	t.Helper()
	for _, a := range slices.Backward(p.github.Artifacts()) {
		if strings.HasPrefix(a.Name, "deploy-action.shop."+of) {
			all := deploys(p.records(t, a))
			return all[len(all)-1]
		}
	}
	t.Fatalf("there is no state of %s", of)
	return state.Record{}
}

// threeApps has three apps. All of them are deployed in jobs of their own, and
// then those that changed: as one matrix, by levels, and in groups.
func threeApps(t *testing.T, r *runner) {
	const groupPlace, levelsPlace, groupsPlace = ".github/workflows/deploy-group.yml", ".github/workflows/levels.yml", ".github/workflows/groups.yml"
	const ofAnother = "depends_on = [\"lib\"]\n  watch = [\"**\", \"../../shared/**\"]\n  "
	sources := recipeSources(t, "monorepo.md", deployPlace)
	apps := map[string]string{"lib": "", "web": ofAnother, "worker": ""}
	files := map[string]string{
		deployPlace: sources[0], levelsPlace: sources[1], groupsPlace: sources[2],
		groupPlace:     recipeSource(t, "monorepo.md", groupPlace),
		"waypoint.hcl": "project = \"shop\"\n",
	}
	for _, app := range slices.Sorted(maps.Keys(apps)) {
		files["waypoint.hcl"] += containerApp(app, apps[app]+`path = "apps/`+app+`"`)
		files["apps/"+app+"/Dockerfile"] = dockerfile
	}
	p := newProject(t, r, files)
	want := map[string]string{}
	for app := range apps {
		copyFile(t, "/bin/busybox", filepath.Join(p.folder, "apps", app, "busybox"))
		write(t, filepath.Join(p.folder, "apps", app, "www/index.html"), "first\n")
		want[app+" in production"] = "first\n"
	}
	defer removeDeployments(t, r)
	deploy := func(place string, changed ...string) {
		t.Helper()
		before := len(p.github.Deployments())
		p.startRecipe(t, place, "push")
		var deployed []string
		for _, d := range p.github.Deployments()[before:] {
			deployed = append(deployed, strings.TrimPrefix(d.Task, "deploy-action:shop/"))
		}
		if place != levelsPlace { // jobs of one level may begin in any order
			slices.Sort(deployed)
		}
		if diff := cmp.Diff(changed, deployed); diff != "" {
			t.Errorf("%s deployed (-want +got):\n%s", place, diff)
		}
		if diff := cmp.Diff(want, p.pages(t)); diff != "" {
			t.Errorf("after %s users get (-want +got):\n%s", place, diff)
		}
	}
	page := func(app string) string {
		want[app+" in production"] = "second\n"
		return "apps/" + app + "/www/index.html"
	}
	p.change(t, "README.md", "Three apps.\n")
	deploy(deployPlace, "lib", "web", "worker")
	p.change(t, page("worker"), "second\n")
	deploy(deployPlace, "worker")
	p.change(t, page("lib"), "second\n")
	p.change(t, "shared/colours.txt", "red\n")
	deploy(levelsPlace, "lib", "web")
	p.change(t, page("web"), "second\n")
	deploy(groupsPlace, "web")
}

// organization deploys by a workflow of another repository.
func organization(t *testing.T, r *runner) {
	p := newProject(t, r, map[string]string{
		deployPlace:    recipe(t, "organization.md", deployPlace),
		"Dockerfile":   dockerfile,
		"waypoint.hcl": "project = \"shop\"\n" + containerApp("web", ""),
	})
	copyFile(t, "/bin/busybox", filepath.Join(p.folder, "busybox"))
	defer removeDeployments(t, r)
	shared := t.TempDir()
	write(t, filepath.Join(shared, deployPlace), recipe(t, "organization.md", "acme/deploy: "+deployPlace))
	p.change(t, "www/index.html", "by the organisation\n")
	p.startRecipe(t, deployPlace, "push", "--local-repository", "acme/deploy@v1="+shared)
	if diff := cmp.Diff(map[string]string{"web in production": "by the organisation\n"}, p.pages(t)); diff != "" {
		t.Errorf("what users get (-want +got):\n%s", diff)
	}
}
