// Package claim tells GitHub who works on an app in a workspace, and on what:
// locks, and intents.
//
// A lock makes one job the only writer. An intent is a GitHub Deployment that is
// made before a platform is touched, so that whoever comes later knows of the
// deployment even where the runner was lost with all its files. Both outlive the
// job, and both are for every store that keeps records on GitHub.
//
// The package decides who holds a lock and what a Deployment of ours says. It
// keeps no record, and does not decide whom to believe.
package claim

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
)

// Key names what is locked, and what an intent is about.
type Key struct{ Project, App, Workspace string }

// previews are the workspaces that belong to a pull request.
var previews = regexp.MustCompile(`^pr-([0-9]+)$`)

// Preview returns the number of the pull request whose workspace this is, as
// text, or "" where it is no preview.
func (k Key) Preview() string {
	if found := previews.FindStringSubmatch(k.Workspace); found != nil {
		return found[1]
	}
	return ""
}

// environment is what Deployments of k are listed under. Previews share one,
// because nobody would remove one for each.
func (k Key) environment() string {
	if k.Preview() != "" {
		return "preview"
	}
	return k.Workspace
}

// task is what tells Deployments of one kind from all others in a repository.
func (k Key) task(kind string) string {
	if number := k.Preview(); number != "" {
		return fmt.Sprintf("deploy-action-%spreview:%s/%s#%s", kind, k.Project, k.App, number)
	}
	return fmt.Sprintf("deploy-action%s:%s/%s", strings.TrimSuffix("-"+kind, "-"), k.Project, k.App)
}

// lockTask is what a lock by Deployments goes by. It is that of the intents, so
// that one list shows both; but the list of previews is for those who end them.
func (k Key) lockTask() string {
	if k.Preview() != "" {
		return k.task("lock")
	}
	return k.task("")
}

// longestName leaves room below what file systems allow, for git may keep a ref
// as a file.
const longestName = 200

// ref is where the lock of k is. It is one element, so that no lock lies in the
// way of another, and different for different keys.
func (k Key) ref() string {
	name := escape(k.Project) + "+" + escape(k.App) + "+" + escape(k.Workspace)
	if len(name) > longestName {
		name = fmt.Sprintf("%s=-%x", name[:100], sha256.Sum256([]byte(name)))
	}
	return "refs/deploy-action/lock/" + name
}

// escape keeps letters, digits, dash and underscore, and makes = and two hex
// digits of every other byte: a ref may hold neither two dots nor a tilde.
func escape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	return b.String()
}
