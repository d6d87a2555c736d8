//go:build servers

package packer_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/plugin/packer"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// TestRealPacker builds with Packer's own builders that need no cloud.
func TestRealPacker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.path = filepath.Dir(servers.Packer(t))
	w.write(t, filepath.Join(w.app, "image.pkr.hcl"), `
variable "greeting" { type = string }
source "file" "web" {
  content = var.greeting
  target  = "made"
}
build {
  sources = ["source.file.web"]
  provisioner "shell-local" { inline = ["echo hello from a provisioner"] }
}
`, 0o644)
	made, err := w.build(t, packer.BuilderConfig{Template: "image.pkr.hcl", Vars: map[string]secret.Text{"greeting": "hunter2"}})
	image, ok := made.(artifact.MachineImage)
	if err != nil || !ok || image.ID == "" || w.read(t, "made") != "hunter2" {
		t.Errorf("Build = %v, %v, and the file says %q\n%s", made, err, w.read(t, "made"), w.shown.String())
	}
	w.write(t, filepath.Join(w.app, "image.pkr.hcl"), "source \"file\" \"web\" {\n  nonsense = 1\n}\nbuild { sources = [\"source.file.web\"] }\n", 0o644)
	if _, err := w.build(t, packer.BuilderConfig{Template: "image.pkr.hcl"}); err == nil || !strings.Contains(said(err), "nonsense") {
		t.Errorf("a template that is wrong: %v", err)
	}
}
