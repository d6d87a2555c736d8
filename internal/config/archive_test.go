package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/tools/txtar"

	"github.com/deploy-action/deploy-action/internal/component"
)

// unpack writes the input files of an archive to a new folder.
func unpack(t *testing.T, archive *txtar.Archive) (dir string, inputs scenario) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "project")
	for _, file := range archive.Files {
		switch file.Name {
		case "want.json", "want.txt":
		case "inputs.json":
			decoder := json.NewDecoder(bytes.NewReader(file.Data))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&inputs); err != nil {
				t.Fatal(err)
			}
		default:
			write(t, filepath.Join(dir, file.Name), string(file.Data))
		}
	}
	for name, destination := range inputs.Links {
		if err := os.Symlink(destination, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir, inputs
}

// write writes a file and the folders above it.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// wanted returns the expected results in an archive.
func wanted(archive *txtar.Archive) map[string]string {
	want := map[string]string{"want.json": "", "want.txt": ""}
	for _, file := range archive.Files {
		if _, ok := want[file.Name]; ok {
			want[file.Name] = string(file.Data)
		}
	}
	return want
}

// rewrite puts new results into an archive.
func rewrite(t *testing.T, path string, archive *txtar.Archive, results map[string]string) {
	t.Helper()
	rewritten := &txtar.Archive{Comment: archive.Comment}
	for _, file := range archive.Files {
		if file.Name != "want.json" && file.Name != "want.txt" {
			rewritten.Files = append(rewritten.Files, file)
		}
	}
	for _, name := range []string{"want.json", "want.txt"} {
		if results[name] != "" {
			rewritten.Files = append(rewritten.Files, txtar.File{Name: name, Data: []byte(results[name])})
		}
	}
	if err := os.WriteFile(path, txtar.Format(rewritten), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lines is one line for each diagnostic: FILE:LINE,COLUMN-COLUMN: Error:
// summary; detail. A range over several lines ends in LINE,COLUMN.
func lines(diags hcl.Diagnostics, dir string) string {
	var b strings.Builder
	for _, d := range diags {
		if r := d.Subject; r != nil {
			end := fmt.Sprint(r.End.Column)
			if r.End.Line != r.Start.Line {
				end = fmt.Sprintf("%d,%d", r.End.Line, r.End.Column)
			}
			name, err := filepath.Rel(dir, r.Filename)
			if err != nil {
				name = r.Filename
			}
			fmt.Fprintf(&b, "%s:%d,%d-%s: ", name, r.Start.Line, r.Start.Column, end)
		}
		kind := "Error"
		if d.Severity == hcl.DiagWarning {
			kind = "Warning"
		}
		fmt.Fprintf(&b, "%s: %s; %s\n", kind, d.Summary, d.Detail)
	}
	return b.String()
}

// texts makes values of strings.
func texts(of map[string]string) map[string]cty.Value {
	values := map[string]cty.Value{}
	for name, text := range of {
		values[name] = cty.StringVal(text)
	}
	return values
}

// settings shows the values of config blocks, and which are sensitive.
func settings(of map[string]component.Setting) map[string]string {
	shown := map[string]string{}
	for name, setting := range of {
		shown[name] = setting.Text.Reveal()
		if setting.Sensitive {
			shown[name] = "sensitive " + shown[name]
		}
	}
	return shown
}
