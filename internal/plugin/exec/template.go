package exec

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// placeholder stands for the path of the rendered template in an argument.
const placeholder = "<TPL>"

// data is what templates can refer to. It holds revealed secrets, since a
// template may compare them: it is made for one rendering and printed nowhere.
type data struct {
	Env       map[string]string
	Input     map[string]string
	Project   string
	App       string
	Workspace string
	ID        string
}

func newData(req component.DeployRequest[artifact.Artifact]) data {
	env := make(map[string]string, len(req.Env))
	for name, setting := range req.Env {
		env[name] = setting.Text.Reveal()
	}
	return data{
		Env:       env,
		Input:     input(req.Artifact),
		Project:   req.App.Project,
		App:       req.App.Name,
		Workspace: req.App.Workspace,
		ID:        req.ID,
	}
}

// input returns the artifact's variables that are text, and for an image the
// names that Waypoint gave them.
func input(a artifact.Artifact) map[string]string {
	values := map[string]string{}
	for name, v := range a.Vars() {
		if v.IsWhollyKnown() && !v.IsNull() && v.Type() == cty.String {
			values[name] = v.AsString()
		}
	}
	image, ok := a.(artifact.Image)
	if !ok {
		return values
	}
	if image.Local() {
		image.Digest = "" // that of the layout; no engine knows it by that
	}
	values["DockerImageFull"] = image.Reference()
	values["DockerImageName"] = image.Repository
	values["DockerImageTag"] = image.Tag
	return values
}

// renderCommand renders each element of argv after putting the path of the
// rendered template in.
func (d data) renderCommand(argv []string, rendered string) ([]string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, &diag.Problem{
			Summary: "No command to run",
			Detail:  "The list is empty. Its first element must be the program to run.",
			Attr:    "command",
		}
	}
	result := make([]string, len(argv))
	for i, arg := range argv {
		text, err := d.render(fmt.Sprintf("element %d", i+1), strings.ReplaceAll(arg, placeholder, rendered))
		if err != nil {
			return nil, &diag.Problem{
				Summary: "Malformed template",
				Detail:  "An element of the command is no valid Go template.",
				Attr:    "command",
				Err:     err,
			}
		}
		result[i] = text
	}
	return result, nil
}

// renderTree renders the file or folder at path into a new folder under temp,
// and returns where the result is.
func (d data) renderTree(path, temp string) (string, error) {
	out, err := os.MkdirTemp(temp, "template-")
	if err != nil {
		return "", fmt.Errorf("making a folder for the rendered template: %w", err)
	}
	out = filepath.Join(out, filepath.Base(path))
	err = filepath.WalkDir(path, func(source string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(path, source)
		if err != nil {
			return err
		}
		return d.renderEntry(source, entry, filepath.Join(out, relative))
	})
	if err != nil {
		return "", &diag.Problem{
			Summary: "Template cannot be rendered",
			Detail:  fmt.Sprintf("The template is at %q. Each file there must be readable and a valid Go template.", path),
			Attr:    "template.path",
			Err:     err,
		}
	}
	return out, nil
}

// renderEntry renders one file to target, or makes the folder or link there.
func (d data) renderEntry(source string, entry fs.DirEntry, target string) error {
	switch entry.Type() {
	case fs.ModeDir:
		return os.Mkdir(target, 0o700)
	case fs.ModeSymlink:
		link, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	case 0:
		return d.renderFile(source, target)
	}
	return fmt.Errorf("%q is neither a file, a folder nor a link", source)
}

// renderFile keeps the mode, so that scripts stay executable, but lets nobody
// else read what may now hold secrets.
func (d data) renderFile(source, target string) error {
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	text, err := d.render(filepath.Base(source), string(content))
	if err != nil {
		return err
	}
	return os.WriteFile(target, []byte(text), info.Mode().Perm()&0o700|0o600)
}

// render renders one text. A name that a map lacks is empty, so that files
// written for Waypoint can ask for it with "if".
func (d data) render(name, text string) (string, error) {
	parsed, err := template.New(name).Option("missingkey=zero").Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if err := parsed.Execute(&out, d); err != nil {
		return "", err
	}
	return out.String(), nil
}
