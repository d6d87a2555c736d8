package starter

import (
	"path"
	"slices"
	"strings"
)

// serverlessFiles describe a service of the Serverless Framework.
var serverlessFiles = []string{"serverless.yml", "serverless.yaml"}

// choosePlatform decides how an app is deployed: by what is there for a
// platform in its folder, in a folder of the same name elsewhere, or, for the
// only app, anywhere.
func (r repository) choosePlatform(a *app, only bool) {
	of := func(folders []string) []string {
		return slices.DeleteFunc(folders, func(folder string) bool {
			return !only && !below(folder, a.path) && path.Base(folder) != path.Base(a.path)
		})
	}
	serverless := of(r.named(serverlessFiles...))
	charts := of(r.named("Chart.yaml"))
	layers := of(r.named("kustomization.yaml", "kustomization.yml"))
	manifests := of(r.manifests())
	image := a.build.plugin != "null"
	switch {
	case len(serverless) > 0 && (!image || slices.Contains(serverless, a.path)):
		r.useServerless(a, serverless[0])
	case len(charts) > 0:
		useHelm(a, charts[0])
	case len(layers) > 0:
		layer, around := chooseLayer(layers)
		useKubectl(a, "--kustomize", around, within(layer, around))
		a.found = append(a.found, Found{layer, "a layer of Kustomize"})
	case len(manifests) > 0:
		useKubectl(a, "--filename", manifests[0], ".")
		a.found = append(a.found, Found{manifests[0], "Kubernetes manifests"})
	case image:
		a.deploy.plugin = "docker"
		a.deploy.comment = "Runs the image in the Docker engine of the machine that deploys: in a job, a self-hosted\n" +
			"runner. `use \"local\" {}` runs it without Docker. `deploy-action plugins` lists more."
	default:
		a.deploy = stage{plugin: "null", comment: "Deploys nothing. `deploy-action plugins` lists what can."}
	}
}

// useServerless deploys with the Serverless Framework, which builds by itself.
func (r repository) useServerless(a *app, folder string) {
	file := path.Join(folder, serverlessFiles[0])
	if !r.has(file) {
		file = path.Join(folder, serverlessFiles[1])
	}
	a.found = append(a.found, Found{file, "a service of the Serverless Framework"})
	a.build = stage{plugin: "files", comment: "The Serverless Framework packs what it deploys by itself."}
	a.pushes, a.built = false, false
	a.files, a.before, a.language = nil, nil, language{}
	a.deploy = stage{
		plugin:  "exec",
		comment: "No platform of this version speaks to AWS Lambda, so the framework's own program deploys.",
		body: append(directory(a, folder), argument{
			name: "command", value: `["npx", "serverless", "deploy", "--stage", "{{ .Workspace }}"]`,
		}),
	}
}

// directory is the argument that runs a command in a folder of the repository.
func directory(a *app, folder string) []argument {
	if folder == a.path {
		return nil
	}
	return []argument{{name: "dir", value: quote("${path.project}/" + folder)}}
}

// useHelm deploys a chart.
func useHelm(a *app, chart string) {
	a.found = append(a.found, Found{path.Join(chart, "Chart.yaml"), "a Helm chart"})
	comment := "A platform for Helm is not part of this version, so helm itself deploys: it must be installed and\n" +
		"signed in to the cluster."
	command := []string{`"helm", "upgrade", "--install", "--wait"`, `app.name, ` + quote("${path.project}/"+chart)}
	if a.build.plugin != "null" {
		comment += " image.repository and image.tag are what most charts call these values."
		command = append(command,
			`"--set", "image.repository={{ .Input.DockerImageName }}"`,
			`"--set", "image.tag={{ .Input.DockerImageTag }}"`)
	}
	a.deploy = stage{plugin: "exec", comment: comment, body: []argument{{name: "command", value: listOf(command...)}}}
}

// chooseLayer returns the layer of Kustomize to apply, the one for production
// where there is one, and the folder that holds it with all that it builds on.
func chooseLayer(layers []string) (layer, around string) {
	layer = layers[len(layers)-1]
	for _, candidate := range layers {
		if strings.Contains(path.Base(candidate), "prod") {
			layer = candidate
		}
	}
	around = layer
	for _, other := range layers {
		for !below(other, around) {
			around = path.Dir(around)
		}
	}
	if around == "." {
		around = layer // rather than the whole repository
	}
	return layer, around
}

// useKubectl applies what is below a folder once its templates are rendered.
func useKubectl(a *app, flag, folder, below string) {
	comment := "A platform for Kubernetes is not part of this version, so kubectl itself deploys: it must be installed\n" +
		"and signed in to the cluster. The manifests are templates:"
	if a.build.plugin == "null" {
		comment += " {{ .App }} in them is the app's name."
	} else {
		comment += " say image: {{ .Input.DockerImageFull }} in\nthem to run what was built."
	}
	a.deploy = stage{
		plugin:  "exec",
		comment: comment,
		body: []argument{
			{name: "command", value: listOf(`"kubectl", "apply", ` + quote(flag) + `, ` + quote(path.Join("<TPL>", below)))},
			{name: "template", block: []argument{{name: "path", value: quote("${path.project}/" + folder)}}},
		},
	}
}

// listOf is a list with a line for each part of it, or one line for one part.
func listOf(parts ...string) string {
	if len(parts) == 1 {
		return "[" + parts[0] + "]"
	}
	return "[\n" + strings.Join(parts, ",\n") + ",\n]"
}
