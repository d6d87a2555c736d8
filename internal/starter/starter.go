// Package starter proposes the files that a repository needs for its first
// deploy, from what lies in it.
//
// It only reads and proposes: writing the files is its caller's part. What it
// proposes uses plugins that are there today; where another would fit better,
// the file says so.
package starter

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Options say what to look at.
type Options struct {
	FS   fs.FS  // the folder that waypoint.hcl goes into
	Name string // of that folder
	Git  Git    // the repository around it

	// Refusal says why the builder "docker" cannot build a Dockerfile of that
	// content, in words such as "RUN --device is not supported"; "" where it can.
	Refusal func(dockerfile []byte) string

	// Workflow also proposes a workflow. Where there is a waypoint.hcl already,
	// it is all that is proposed.
	Workflow bool
}

// File is a file to write.
type File struct {
	Path    string // from the folder of waypoint.hcl, with slashes
	Content string
	Why     string // one line
}

// Found is what a part of the repository says about how to deploy it.
type Found struct{ Path, What string }

// Step is something to do by hand, in order.
type Step struct{ Command, Why string }

// Proposal is what to write, why, and what comes then.
type Proposal struct {
	Found []Found
	Files []File
	Next  []Step
}

// New looks at the repository and proposes files. None of them exists, but for
// waypoint.hcl and the workflow: these the caller looks for.
func New(o Options) (Proposal, error) {
	files, err := list(o.FS)
	if err != nil {
		return Proposal{}, fmt.Errorf("looking at the repository: %w", err)
	}
	r := repository{fs: o.FS, files: files, above: o.Git.Folder, refusal: o.Refusal}
	apps := r.apps()
	name(apps, o)
	for _, a := range apps {
		a.nameImage(o, len(apps) == 1)
	}
	var p Proposal
	for _, a := range apps {
		p.Found = append(p.Found, a.found...)
		p.Files = append(p.Files, a.files...)
		p.Next = append(p.Next, a.before...)
	}
	if len(p.Found) == 0 {
		p.Found = []Found{{o.Name, "nothing that says how to build or deploy it"}}
	}
	p.Next = slices.Concat(signIn(apps), p.Next)
	p.Files = append([]File{{"waypoint.hcl", configuration(o, apps), summary(apps)}}, p.Files...)
	if o.Workflow {
		p.Files = append(p.Files, workflowFile(o, apps))
	}
	if slices.ContainsFunc(apps, func(a *app) bool { return a.deploy.plugin == "null" }) {
		p.Next = append(p.Next, Step{"deploy-action plugins", "choose what builds and deploys"})
	}
	p.Next = append(p.Next,
		Step{"deploy-action validate", "check waypoint.hcl after a change"},
		Step{"deploy-action plan", "see what would happen"},
		Step{"deploy-action up", "build and deploy"},
	)
	return p, nil
}

// signIn is what the registry wants first, where one is used.
func signIn(apps []*app) []Step {
	for _, a := range apps {
		if a.image != "" && (a.pushes || a.built) {
			host, _, _ := strings.Cut(a.image, "/")
			return []Step{{"docker login " + host, "sign in to the registry"}}
		}
	}
	return nil
}

// WorkflowOnly proposes the workflow for a waypoint.hcl that is there already.
func WorkflowOnly(o Options) Proposal {
	file := workflowFile(o, nil)
	return Proposal{Files: []File{file}}
}

// summary says what waypoint.hcl deploys.
func summary(apps []*app) string {
	names := make([]string, len(apps))
	for i, a := range apps {
		names[i] = a.name
	}
	if len(names) == 1 {
		return "deploys the app " + names[0]
	}
	return "deploys the apps " + strings.Join(names, ", ")
}

// name gives the apps names of their own: of what they are at the root, of
// their folder below it.
func name(apps []*app, o Options) {
	taken := map[string]bool{}
	for _, a := range apps {
		a.name = validName(path.Base(a.path))
		if a.path == "." {
			a.name = validName(first(a.ownName, o.Git.Name, o.Name))
		}
		if taken[a.name] {
			a.name = validName(strings.ReplaceAll(a.path, "/", "-"))
		}
		for n := 2; taken[a.name]; n++ {
			a.name = validName(fmt.Sprintf("%d-%s", n, a.path))
		}
		taken[a.name] = true
	}
}

// first returns the first of texts that is not empty.
func first(texts ...string) string {
	i := slices.IndexFunc(texts, func(text string) bool { return text != "" })
	if i < 0 {
		return ""
	}
	return texts[i]
}

// longestName is how long the name of an app or a project may be.
const longestName = 60

// validName makes a name for an app or a project of text.
func validName(text string) string {
	text = strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
			return c
		}
		return '-'
	}, text)
	text = strings.Trim(text[:min(len(text), longestName)], "-_.")
	return first(text, "app")
}
