package plugintest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
)

// use is one use block in a waypoint.hcl of its own.
type use struct {
	stage *config.Stage
	scope config.Scope
	line  int // of the first line inside the block
}

// templates are files with the use block of a kind in its place. A sourcer
// stands in a deploy block, for a use block is read alike everywhere.
var templates = map[kind]string{
	builder:  "build {\nUSE\n}\ndeploy {\nuse \"other\" {}\n}",
	registry: "build {\nuse \"other\" {}\nregistry {\nUSE\n}\n}\ndeploy {\nuse \"other\" {}\n}",
	platform: "build {\nuse \"other\" {}\n}\ndeploy {\nUSE\n}",
	releaser: "build {\nuse \"other\" {}\n}\ndeploy {\nuse \"other\" {}\n}\nrelease {\nUSE\n}",
	sourcer:  "build {\nuse \"other\" {}\n}\ndeploy {\nUSE\n}",
}

// newUse writes a waypoint.hcl with a use block into dir and reads it.
func newUse(dir string, k kind, plugin, body string) (*use, error) {
	head := "project = \"plugintest\"\n\napp \"web\" {\n" + templates[k] + "\n}\n"
	before, after, _ := strings.Cut(head, "USE")
	opening := fmt.Sprintf("use %q {\n", plugin)
	path := filepath.Join(dir, "waypoint.hcl")
	if err := os.WriteFile(path, []byte(before+opening+strings.TrimLeft(body, "\n")+"\n}"+after), 0o600); err != nil {
		return nil, err
	}
	project, diags := config.Load(path)
	if diags.HasErrors() {
		return nil, diags
	}
	scope, diags := project.Scope(config.Inputs{TempDir: dir})
	if diags.HasErrors() {
		return nil, diags
	}
	app, diags := project.App("web", scope)
	if diags.HasErrors() {
		return nil, diags
	}
	stage := map[kind]*config.Stage{
		builder: app.Build, registry: app.Push, platform: app.Deploy, releaser: app.Release, sourcer: app.Deploy,
	}[k]
	if stage == nil {
		return nil, errors.New("the file has no such stage")
	}
	return &use{stage, scope, strings.Count(before+opening, "\n") + 1}, nil
}

// decode reads the block as when its stage runs.
func (u *use) decode(into any) hcl.Diagnostics { return u.stage.Decode(u.scope)(into) }

// shared reads the block for a default releaser.
func (u *use) shared(into any) hcl.Diagnostics { return u.stage.DecodeShared(u.scope)(into) }

// check reads the block before anything runs.
func (u *use) check(into any) hcl.Diagnostics {
	_, diags := u.stage.Check(u.scope, into)
	return diags
}

// recorded returns what reads the block from its record, when the app is gone
// from the file. The target is a pointer to the configuration struct.
func (u *use) recorded(target any) (component.Decode, error) {
	raw, err := u.stage.Record(u.scope, target)
	if err != nil {
		return nil, err
	}
	return config.Reopen(raw), nil
}
