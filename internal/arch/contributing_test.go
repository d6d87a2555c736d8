package arch_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestContributing compiles the plugin that CONTRIBUTING.md writes step by
// step, and runs its tests, without adding it to the repository.
func TestContributing(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join(root, ".github", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	module, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	steps := regexp.MustCompile("(?s)### \\d+\\. [^\n]*`(internal/plugin/[^`]*/([^`/]*\\.go))`.*?```go\n(.*?)```")
	for _, step := range steps.FindAllSubmatch(guide, -1) {
		name := filepath.Join(folder, string(step[2]))
		if err := os.WriteFile(name, step[3], 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(module, string(step[1]))] = name
	}
	if len(overlay.Replace) != 5 {
		t.Fatalf("the guide has %d files of a plugin, want 5: %v", len(overlay.Replace), overlay.Replace)
	}
	data, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "overlay.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "textfile.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", filepath.Join(folder, "overlay.json"), "-o", program, "./internal/plugin/textfile")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compiling the guide's plugin: %v\n%s", err, output)
	}
	// The tests run beside the plugin's files, for the contract reads its example.
	test := exec.CommandContext(t.Context(), program)
	test.Dir = folder
	if output, err := test.CombinedOutput(); err != nil {
		t.Errorf("testing the guide's plugin: %v\n%s", err, output)
	}
}
