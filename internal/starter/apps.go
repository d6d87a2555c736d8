package starter

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// app is one app of the proposed waypoint.hcl.
type app struct {
	name, path string // the path is "." at the root
	ownName    string // what the app is called by its own files; or ""
	found      []Found
	files      []File // besides waypoint.hcl
	before     []Step // to do before the first deploy

	build      stage
	pushes     bool   // to a registry
	built      bool   // outside, so that the image is only named
	dockerfile string // of such an image, from the app's folder
	image      string // where the image goes; "" where nobody knows
	deploy     stage
	language   language // of what is put into the image; of an app with a Dockerfile nobody asks
}

// stage is a use block, and what is said above it.
type stage struct {
	plugin  string
	body    []argument
	comment string
}

// argument is a line of a use block, or with no value a block in it.
type argument struct {
	name, value string // the value as it stands in the file
	block       []argument
}

// ways are folders that hold the Dockerfile of the folder above.
var ways = []string{"build", "ci", "container", "deploy", "docker", "ops"}

// apps returns what there is to deploy: one app for each Dockerfile; without
// any, one for each program; without that, one that deploys nothing yet.
func (r repository) apps() []*app {
	var apps []*app
	for _, folder := range r.named("Dockerfile") {
		a := &app{path: folder}
		if slices.Contains(ways, path.Base(folder)) && !slices.Contains(r.named("Dockerfile"), path.Dir(folder)) {
			a.path = path.Dir(folder)
		}
		r.fromDockerfile(a, path.Join(folder, "Dockerfile"))
		apps = append(apps, a)
	}
	if len(apps) == 0 {
		apps = r.programs()
	}
	for _, a := range apps {
		r.choosePlatform(a, len(apps) == 1)
	}
	return apps
}

// programs returns an app for the root, if it holds a program, or else for
// each folder that does.
func (r repository) programs() []*app {
	folders := r.named("go.mod", "package.json", "Procfile", "serverless.yml", "serverless.yaml")
	if len(folders) == 0 || slices.Contains(folders, ".") {
		folders = []string{"."}
	}
	var apps []*app
	for _, folder := range folders {
		a := &app{path: folder}
		r.fromProgram(a)
		apps = append(apps, a)
	}
	return apps
}

// fromDockerfile makes the build of an app that has a Dockerfile.
func (r repository) fromDockerfile(a *app, dockerfile string) {
	a.ownName = r.language(a.path).name
	a.dockerfile = within(dockerfile, a.path)
	content := r.read(dockerfile)
	a.deploy.body = exposed(content)
	refusal := r.refusal(content)
	if refusal == "" {
		a.build = stage{plugin: "docker", comment: "Made from the Dockerfile."}
		if a.dockerfile != "Dockerfile" {
			a.build.body = []argument{{name: "dockerfile", value: quote(a.dockerfile)}}
		}
		a.pushes = true
		a.found = append(a.found, Found{dockerfile, "how to build an image"})
		return
	}
	a.built = true
	a.build = stage{plugin: "docker-ref", comment: "The image is built before, by `docker build` or a step of the workflow, because this\n" +
		"version's builder cannot do it: " + refusal + ".\n" +
		"Once it can, `use \"docker\" {}` and a registry block take the place of this."}
	a.found = append(a.found, Found{dockerfile, "how to build an image, which this version leaves to `docker build`: " + refusal})
}

// nameImage says where the image of an app goes, and for one that is built
// outside how it gets there.
func (a *app) nameImage(o Options, only bool) {
	a.image = o.Git.Image
	if a.image != "" && !only {
		a.image = path.Join(a.image, strings.ToLower(a.name))
	}
	if !a.built {
		return
	}
	a.image = first(a.image, "registry.example.com/"+strings.ToLower(a.name))
	a.build.body = []argument{{name: "image", value: quote(a.image)}, {name: "tag", value: tag(o)}}
	reference := a.image + ":latest"
	if o.Git.Commits {
		reference = a.image + ":$(git rev-parse HEAD)"
	}
	a.before = append(a.before,
		Step{fmt.Sprintf("docker build --tag %s --file %s %s", reference, plain(path.Join(a.path, a.dockerfile)), plain(a.path)), "build the image"},
		Step{"docker push " + reference, "push it"},
	)
}

// exposed returns the port that a Dockerfile names, for the platform.
func exposed(dockerfile []byte) []argument {
	match := regexp.MustCompile(`(?mi)^\s*EXPOSE\s+(\d+)`).FindSubmatch(dockerfile)
	if match == nil {
		return nil
	}
	port, err := strconv.Atoi(string(bytes.TrimSpace(match[1])))
	if err != nil || port < 1 || port > 65535 {
		return nil
	}
	return []argument{{name: "service_port", value: strconv.Itoa(port)}}
}
