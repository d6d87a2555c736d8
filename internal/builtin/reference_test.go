package builtin_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/builtin"
	"github.com/deploy-action/deploy-action/internal/component"
)

var update = flag.Bool("update", false, "rewrite REFERENCE.md")

// TestReference holds REFERENCE.md against the doc comments that it is made
// of; `go generate ./internal/builtin` rewrites it.
func TestReference(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Plugins\n\n<!-- Made from the doc comments of the plugins by `go generate ./internal/builtin`. -->\n\n")
	for _, p := range builtin.Plugins {
		fmt.Fprintf(&b, "- [%s](#%s): %s\n", p.Name, p.Name, p.Summary)
	}
	for _, p := range builtin.Plugins {
		source := parseFolder(t, filepath.Join("..", "plugin", folder(p.Name)))
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", p.Name, strings.TrimSpace(source.comment()))
		for _, c := range components(p) {
			fmt.Fprintf(&b, "\n### %s: %s\n\n", p.Name, c.kind)
			source.attributes(&b, reflect.TypeOf(c.config).Elem(), "")
		}
	}
	const path = "REFERENCE.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), b.String()); diff != "" {
		t.Errorf("REFERENCE.md is out of date; run go generate ./internal/builtin (-file +comments):\n%s", diff)
	}
}

// folder is where a plugin is: its name without dashes, but for the one name
// that is no package's.
func folder(name string) string {
	if name == "go" {
		return "golang"
	}
	return strings.ReplaceAll(name, "-", "")
}

type configured struct {
	kind   string
	config any
}

// components lists what a plugin has, with the zero configuration of each.
func components(p component.Plugin) []configured {
	var all []configured
	if p.Builder != nil {
		all = append(all, configured{"builder", p.Builder.Config()})
	}
	if p.Registry != nil {
		all = append(all, configured{"registry", p.Registry.Config()})
	}
	if p.Platform != nil {
		all = append(all, configured{"platform", p.Platform.Config()})
	}
	if p.Releaser != nil {
		kind := "releaser"
		if p.DefaultRelease {
			kind += " (the platform's default)"
		}
		all = append(all, configured{kind, p.Releaser.Config()})
	}
	if p.Sourcer != nil {
		all = append(all, configured{"config source", p.Sourcer.Config()})
	}
	return all
}

// source is the parsed folder of a plugin.
type source struct {
	t     *testing.T
	files []*ast.File
}

func parseFolder(t *testing.T, dir string) source {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no source in %s: %v", dir, err)
	}
	s := source{t: t}
	set := token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, file)
	}
	return s
}

// comment is the package comment as Markdown, its example as HCL.
func (s source) comment() string {
	for _, file := range s.files {
		if file.Doc == nil {
			continue
		}
		markdown := string(new(doc.Package).Markdown(file.Doc.Text()))
		return fenced(markdown)
	}
	return ""
}

// fenced turns indented code into fenced code that is highlighted.
func fenced(markdown string) string {
	var (
		b    strings.Builder
		code []string
	)
	flush := func() {
		for len(code) > 0 && code[len(code)-1] == "" {
			code = code[:len(code)-1]
		}
		if len(code) > 0 {
			fmt.Fprintf(&b, "```hcl\n%s\n```\n\n", strings.ReplaceAll(strings.Join(code, "\n"), "\t", "  "))
		}
		code = nil
	}
	for line := range strings.Lines(markdown) {
		line = strings.TrimSuffix(line, "\n")
		indented, isCode := strings.CutPrefix(line, "\t")
		switch {
		case isCode:
			code = append(code, indented)
		case line == "" && len(code) > 0:
			code = append(code, "")
		default:
			flush()
			b.WriteString(line + "\n")
		}
	}
	flush()
	return b.String()
}

// attributes writes what a configuration struct takes, and below it its blocks.
func (s source) attributes(b *strings.Builder, config reflect.Type, block string) {
	s.t.Helper()
	comments := s.comments(config.Name())
	var lines []string
	var blocks []reflect.StructField
	for _, f := range reflect.VisibleFields(config) {
		name, kind, _ := strings.Cut(f.Tag.Get("hcl"), ",")
		if name == "" && kind != "label" {
			continue
		}
		if kind == "block" {
			blocks = append(blocks, f)
		}
		about := comments[f.Name]
		if about == "" {
			s.t.Errorf("%s.%s has no doc comment", config, f.Name)
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s |", name, typeName(f.Type, kind), need(kind), about))
	}
	if len(lines) == 0 {
		b.WriteString("No attributes.\n")
		return
	}
	b.WriteString("| attribute | type | | |\n|---|---|---|---|\n" + strings.Join(lines, "\n") + "\n")
	for _, f := range blocks {
		name, _, _ := strings.Cut(f.Tag.Get("hcl"), ",")
		fmt.Fprintf(b, "\n#### block `%s`\n\n", strings.TrimPrefix(block+"."+name, "."))
		s.attributes(b, element(f.Type), strings.TrimPrefix(block+"."+name, "."))
	}
}

func need(kind string) string {
	if kind == "" || kind == "attr" {
		return "required"
	}
	return ""
}

// element is the struct behind pointers and slices.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// typeName is the type as authors of waypoint.hcl know it.
func typeName(t reflect.Type, kind string) string {
	if kind == "block" {
		return "block"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem(), kind)
	case reflect.Slice:
		return "list of " + typeName(t.Elem(), kind)
	case reflect.Map:
		return "map of " + typeName(t.Elem(), kind)
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "number"
	}
	return t.Kind().String()
}

// comments returns the doc comment of each field of a struct, on one line.
func (s source) comments(name string) map[string]string {
	comments := map[string]string{}
	for _, file := range s.files {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != name {
				return true
			}
			fields, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range fields.Fields.List {
				text := strings.Join(slices.Collect(strings.FieldsSeq(f.Doc.Text()+" "+f.Comment.Text())), " ")
				for _, n := range f.Names {
					comments[n.Name] = strings.ReplaceAll(text, "|", "\\|")
				}
			}
			return false
		})
	}
	return comments
}
