// Package builtin lists the plugins that are part of the program.
//
// It is a list and nothing else: what a plugin does is in its own folder.
package builtin

import (
	_ "embed"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/awsalb"
	"github.com/deploy-action/deploy-action/internal/plugin/awsami"
	"github.com/deploy-action/deploy-action/internal/plugin/awsec2"
	"github.com/deploy-action/deploy-action/internal/plugin/awsecr"
	"github.com/deploy-action/deploy-action/internal/plugin/awsecrpull"
	"github.com/deploy-action/deploy-action/internal/plugin/awsecs"
	"github.com/deploy-action/deploy-action/internal/plugin/awslambda"
	"github.com/deploy-action/deploy-action/internal/plugin/awsssm"
	"github.com/deploy-action/deploy-action/internal/plugin/docker"
	"github.com/deploy-action/deploy-action/internal/plugin/dockerpull"
	"github.com/deploy-action/deploy-action/internal/plugin/dockerref"
	"github.com/deploy-action/deploy-action/internal/plugin/exec"
	"github.com/deploy-action/deploy-action/internal/plugin/files"
	"github.com/deploy-action/deploy-action/internal/plugin/golang"
	"github.com/deploy-action/deploy-action/internal/plugin/lambdafunctionurl"
	"github.com/deploy-action/deploy-action/internal/plugin/local"
	"github.com/deploy-action/deploy-action/internal/plugin/null"
	"github.com/deploy-action/deploy-action/internal/plugin/pack"
	"github.com/deploy-action/deploy-action/internal/plugin/packer"
	"github.com/deploy-action/deploy-action/internal/plugin/terraformcloud"
	"github.com/deploy-action/deploy-action/internal/plugin/vault"
)

//go:generate go test -run ^TestReference$ -update

// Reference is REFERENCE.md: what every plugin does and takes.
//
//go:embed REFERENCE.md
var Reference string

// Plugins are the built-in plugins, in alphabetical order.
var Plugins = []component.Plugin{
	awsalb.Plugin,
	awsami.Plugin,
	awsec2.Plugin,
	awsecr.Plugin,
	awsecrpull.Plugin,
	awsecs.Plugin,
	awslambda.Plugin,
	awsssm.Plugin,
	docker.Plugin,
	dockerpull.Plugin,
	dockerref.Plugin,
	exec.Plugin,
	files.Plugin,
	golang.Plugin,
	lambdafunctionurl.Plugin,
	local.Plugin,
	null.Plugin,
	pack.Plugin,
	packer.Plugin,
	terraformcloud.Plugin,
	vault.Plugin,
}
