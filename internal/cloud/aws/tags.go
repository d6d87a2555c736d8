package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strconv"
	"strings"

	"github.com/deploy-action/deploy-action/internal/component"
)

// The tags of what we make. Nothing without them is ever changed or destroyed.
const (
	TagProject    = "deploy-action.dev/project"
	TagApp        = "deploy-action.dev/app"
	TagWorkspace  = "deploy-action.dev/workspace"
	TagDeployment = "deploy-action.dev/deployment"
	TagSequence   = "deploy-action.dev/sequence"
)

// AppTags are the tags of what the deployments of an app share in a workspace.
func AppTags(app component.App) map[string]string {
	return map[string]string{TagProject: app.Project, TagApp: app.Name, TagWorkspace: app.Workspace}
}

// Tags are the tags of what belongs to one deployment.
func Tags(app component.App, id string, sequence int) map[string]string {
	tags := AppTags(app)
	tags[TagDeployment], tags[TagSequence] = id, strconv.Itoa(sequence)
	return tags
}

// OfApp reports whether something with these tags is an app's in its workspace.
func OfApp(tags map[string]string, app component.App) bool {
	for name, value := range AppTags(app) {
		if tags[name] != value {
			return false
		}
	}
	return true
}

// OfDeployment reports whether something with these tags is one deployment's.
func OfDeployment(tags map[string]string, app component.App, id string) bool {
	return id != "" && tags[TagDeployment] == id && OfApp(tags, app)
}

// Shared reports whether something with these tags is an app's and of no single
// deployment.
func Shared(tags map[string]string, app component.App) bool {
	_, single := tags[TagDeployment]
	return OfApp(tags, app) && !single
}

// Sequence returns the number in the tags of a deployment; 0 without one.
func Sequence(tags map[string]string) int {
	number, _ := strconv.Atoi(tags[TagSequence]) // 0 stands for none
	return number
}

// With returns tags with others on top.
func With(tags, others map[string]string) map[string]string {
	all := maps.Clone(tags)
	maps.Copy(all, others)
	return all
}

// Name returns a name for what an app shares in its workspace: a DNS label of
// at most limit characters, at least 16, readable at its begin and unlike that
// of any other app or workspace.
func Name(app component.App, limit int) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{app.Project, app.Name, app.Workspace}, "\x00")))
	return component.Label(app.Name+"-"+app.Workspace, limit-7) + "-" + hex.EncodeToString(sum[:3])
}
