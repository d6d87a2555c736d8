package plugintest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/deploy-action/deploy-action/internal/component"
)

// kind is one of the five kinds of component.
type kind string

const (
	builder  kind = "builder"
	registry kind = "registry"
	platform kind = "platform"
	releaser kind = "releaser"
	sourcer  kind = "sourcer"
)

// blocks is the way to a kind's use block inside an app block.
var blocks = map[kind][]string{
	builder:  {"build"},
	registry: {"build", "registry"},
	platform: {"deploy"},
	releaser: {"release"},
}

// configurable is what the specs of all kinds have.
type configurable interface{ Config() any }

// exampleDecodes checks the example of the plugin's package comment.
func exampleDecodes(spec configurable) check {
	return check{"the example in the package comment decodes", func(t *testing.T, s *subject) error {
		body, err := example(s.folder, s.kind, s.plugin.Name)
		if err != nil {
			return err
		}
		u, err := newUse(t.TempDir(), s.kind, s.plugin.Name, body)
		if err != nil {
			return err
		}
		if diags := u.check(spec.Config()); diags.HasErrors() {
			return fmt.Errorf("the example of the package comment does not decode: %w", diags)
		}
		return nil
	}}
}

// unknownAttribute checks that a misspelt attribute is reported where it is.
func unknownAttribute(spec configurable) check {
	return once("an unknown attribute is reported at its range", func(tr *trial) error {
		u, err := newUse(tr.t.TempDir(), tr.subject.kind, tr.plugin.Name, "no_such_attribute = 1\n"+tr.world.Config)
		if err != nil {
			return err
		}
		diags := u.check(spec.Config())
		for _, d := range diags {
			if d.Subject != nil && d.Subject.Start.Line == u.line {
				return nil
			}
		}
		return fmt.Errorf("an unknown attribute in line %d of the use block's file gives %v", u.line, diags)
	})
}

// example returns the inside of the use block that the package comment in
// folder/plugin.go shows for a kind: below the block of its stage, as in
// deploy { use "local" {} }, or else a use block of its own.
func example(folder string, k kind, plugin string) (string, error) {
	name := filepath.Join(folder, "plugin.go")
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		return "", err
	}
	for _, path := range [][]string{blocks[k], nil} {
		for _, source := range codeBlocks(file.Doc) {
			if body, found := useBody(source, path, plugin); found {
				return body, nil
			}
		}
	}
	return "", fmt.Errorf("the package comment of %s shows no use %q block for its %s", name, plugin, k)
}

// codeBlocks returns the indented parts of a comment.
func codeBlocks(doc *ast.CommentGroup) []string {
	var texts []string
	for _, block := range new(comment.Parser).Parse(doc.Text()).Content {
		if code, ok := block.(*comment.Code); ok {
			texts = append(texts, code.Text)
		}
	}
	return texts
}

// useBody returns the source between the braces of the use block that stands
// below the blocks of path.
func useBody(source string, path []string, plugin string) (string, bool) {
	file, diags := hclsyntax.ParseConfig([]byte(source), "example", hcl.InitialPos)
	if diags.HasErrors() {
		return "", false // text that is no HCL, such as a command
	}
	bodies := []*hclsyntax.Body{file.Body.(*hclsyntax.Body)}
	for _, name := range path {
		bodies = inside(bodies, name)
	}
	for _, body := range bodies {
		for _, b := range body.Blocks {
			if b.Type == "use" && len(b.Labels) == 1 && b.Labels[0] == plugin {
				return source[b.OpenBraceRange.End.Byte:b.CloseBraceRange.Start.Byte], true
			}
		}
	}
	return "", false
}

// inside returns the bodies of all blocks of a type. An app block around them
// is looked through.
func inside(bodies []*hclsyntax.Body, blockType string) []*hclsyntax.Body {
	var found []*hclsyntax.Body
	for _, body := range bodies {
		for _, b := range body.Blocks {
			switch b.Type {
			case blockType:
				found = append(found, b.Body)
			case "app":
				found = append(found, inside([]*hclsyntax.Body{b.Body}, blockType)...)
			}
		}
	}
	return found
}

// problems joins what opening a component can return.
func problems[T any](opened T, diags hcl.Diagnostics, err error) (T, error) {
	if diags.HasErrors() {
		return opened, errors.Join(diags, err)
	}
	return opened, err
}

// open opens the component anew, as another run of the program would.
func open[T any](tr *trial, open func(component.Host, component.Decode) (T, hcl.Diagnostics, error)) (T, error) {
	opened, err := problems(open(tr.operationHost(), tr.use.decode))
	if err != nil {
		return opened, fmt.Errorf("opening the component: %w", tr.say(nil, err))
	}
	return opened, nil
}
