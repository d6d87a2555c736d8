package starter

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// language is what a program is written in, and how it is built before it goes
// into an image. Its zero value is one that is not known.
type language struct {
	name  string // of the program, by its own files
	found Found

	build     []string // commands that make what the image holds, in the app's folder
	image     string   // the Dockerfile for what they make; "" for none
	ignore    string   // the .dockerignore that goes with it; "" for none
	setup     string   // the action that puts the language on a runner
	setupWith string   // what that is given: name and value
}

// language tells what the program in a folder is written in.
func (r repository) language(folder string) language {
	switch {
	case r.has(path.Join(folder, "go.mod")):
		return r.golang(folder)
	case r.has(path.Join(folder, "package.json")):
		return r.node(folder)
	}
	return language{}
}

// golang looks at a Go module.
func (r repository) golang(folder string) language {
	module := "app"
	for line := range strings.Lines(string(r.read(path.Join(folder, "go.mod")))) {
		if rest, ok := strings.CutPrefix(line, "module "); ok {
			module = strings.Trim(strings.TrimSpace(rest), `"`)
		}
	}
	name := path.Base(module)
	if major := strings.TrimPrefix(name, "v"); major != name && strings.Trim(major, "0123456789") == "" && path.Dir(module) != "." {
		name = path.Base(path.Dir(module))
	}
	name = validName(name)
	programs := r.goPrograms(folder)
	l := language{
		name:      name,
		found:     Found{path.Join(folder, "go.mod"), "the Go module " + module},
		setup:     "actions/setup-go@v5",
		setupWith: "go-version-file: " + plain(path.Join(r.above, folder, "go.mod")),
	}
	if len(programs) == 0 {
		l.found.What += ", with no package main in its root or in cmd"
		return l
	}
	at := programs[0]
	if i := slices.Index(programs, "./cmd/"+name); i >= 0 {
		at = programs[i]
	}
	if len(programs) > 1 {
		l.found.What += "; of its programs " + strings.Join(programs, " ") + " the app runs " + at
	}
	build := "CGO_ENABLED=0 GOOS=linux go build -trimpath -o bin/" + name + " " + at
	l.build = []string{build}
	l.image = "# The program is compiled before the image is made:\n" +
		"#   " + build + "\n" +
		"FROM gcr.io/distroless/static-debian12:nonroot\n" +
		"COPY bin/" + name + " /" + name + "\n" +
		"ENTRYPOINT [\"/" + name + "\"]\n"
	return l
}

// goPrograms returns the packages of a module that are programs: its root, and
// folders in cmd.
func (r repository) goPrograms(folder string) []string {
	var programs []string
	for _, file := range r.files {
		dir := within(path.Dir(file), folder)
		inCommands := path.Dir(dir) == "cmd" || dir == "cmd"
		if !below(file, folder) || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") || dir != "." && !inCommands {
			continue
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), file, r.read(file), parser.PackageClauseOnly)
		if err != nil || syntax.Name.Name != "main" {
			continue
		}
		if dir != "." {
			dir = "./" + dir
		}
		if !slices.Contains(programs, dir) {
			programs = append(programs, dir)
		}
	}
	return programs
}

// node looks at a package.json.
func (r repository) node(folder string) language {
	var manifest struct {
		Name, Main string
		Scripts    map[string]string
	}
	file := path.Join(folder, "package.json")
	l := language{
		found:     Found{file, "a Node program"},
		setup:     "actions/setup-node@v4",
		setupWith: "node-version: 22",
		ignore:    ".git\n.github\n.deploy-action\n",
	}
	if err := json.Unmarshal(r.read(file), &manifest); err != nil {
		l.found.What += ", though the file is no valid JSON"
	}
	l.name = path.Base(manifest.Name) // without the scope
	if manifest.Name == "" {
		l.name = ""
	}
	install, tool := "npm install", "npm"
	switch {
	case r.has(path.Join(folder, "package-lock.json")):
		install = "npm ci"
	case r.has(path.Join(folder, "yarn.lock")):
		install, tool = "corepack yarn install --frozen-lockfile", "corepack yarn"
	case r.has(path.Join(folder, "pnpm-lock.yaml")):
		install, tool = "corepack pnpm install --frozen-lockfile", "corepack pnpm"
	}
	l.build = []string{install}
	if manifest.Scripts["build"] != "" {
		l.build = append(l.build, tool+" run build")
	}
	command := `["node", ` + quote(first(manifest.Main, "index.js")) + `]`
	if manifest.Scripts["start"] != "" {
		command = `["npm", "start"]`
	}
	l.image = "# Its packages are installed before the image is made:\n" +
		"#   " + strings.Join(l.build, " && ") + "\n" +
		"FROM node:22-slim\n" +
		"WORKDIR /app\n" +
		"ENV NODE_ENV=production\n" +
		"COPY . .\n" +
		"USER node\n" +
		"CMD " + command + "\n"
	return l
}

// fromProgram makes the build of an app without a Dockerfile.
func (r repository) fromProgram(a *app) {
	a.language = r.language(a.path)
	a.ownName = a.language.name
	if a.language.found.Path != "" {
		a.found = append(a.found, a.language.found)
	}
	procfile := path.Join(a.path, "Procfile")
	if r.has(procfile) {
		a.found = append(a.found, Found{procfile, "what to run; buildpacks, which read it, are not part of this version"})
	}
	l := a.language
	switch {
	case l.image != "":
		a.build = stage{plugin: "docker", comment: "Made from the Dockerfile, which copies what was built before:\n" + strings.Join(l.build, "\n")}
		a.pushes = true
		a.addFile("Dockerfile", l.image, "puts what is built into an image")
		if ignore := path.Join(a.path, ".dockerignore"); l.ignore != "" && !r.has(ignore) {
			a.addFile(".dockerignore", l.ignore, "keeps out of the image what does not belong there")
		}
		for _, command := range l.build {
			a.before = append(a.before, Step{inFolder(a.path, command), "build what the image holds"})
		}
	case r.has(procfile) || l.found.Path != "":
		a.build = stage{plugin: "docker", comment: "There is no Dockerfile yet: write one."}
		a.pushes = true
		a.before = append(a.before, Step{"$EDITOR " + path.Join(a.path, "Dockerfile"), "say how to build an image"})
	default:
		a.build = stage{plugin: "null", comment: "Builds nothing. `deploy-action plugins` lists what can."}
	}
}

func (a *app) addFile(name, content, why string) {
	a.files = append(a.files, File{path.Join(a.path, name), content, why})
}

// inFolder makes a command run in a folder.
func inFolder(folder, command string) string {
	if folder == "." {
		return command
	}
	return "(cd " + plain(folder) + " && " + command + ")"
}

// plain writes a path for a shell, or for a workflow: in quotes where it has
// letters that would mean something there.
func plain(name string) string {
	if regexp.MustCompile(`^[A-Za-z._][A-Za-z0-9._/-]*$`).MatchString(name) {
		return name
	}
	return strconv.Quote(name)
}
