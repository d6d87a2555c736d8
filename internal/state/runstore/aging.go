package runstore

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// mostSwept bounds how many artifacts of all names are looked at in search of
// those that are state: 30 requests.
const mostSwept = 3000

// Aging returns whose state in artifacts is older than half of its time, and
// may expire before a run changes it: of all that the newest artifacts of the
// repository tell of, and of apps of the project in the workspaces that are
// known so. The state of previews is not among them, for they end sooner.
//
// It goes by the lists alone, and by artifacts of the given branch. Whoever
// reads the state decides whether to believe it, and renews it.
func Aging(ctx context.Context, client *github.Client, branch, project string, apps, workspaces []string) ([]claim.Key, error) {
	a := ages{branch: branch, fresh: map[key]bool{}}
	listed := 0
	for one, err := range client.Artifacts(ctx, "") {
		if err != nil {
			return nil, err
		}
		if k, ok := keyNamed(one.Name); ok {
			a.note(k, one)
		}
		if listed++; listed == mostSwept {
			break
		}
	}
	if listed == mostSwept { // there may be older ones, of apps at rest
		if err := a.ask(ctx, client, project, apps, workspaces); err != nil {
			return nil, err
		}
	}
	var aging []claim.Key
	for _, k := range slices.SortedFunc(maps.Keys(a.fresh), compareKeys) {
		if !a.fresh[k] {
			aging = append(aging, k.claim())
		}
	}
	return aging, nil
}

// ages is what lists of artifacts tell of the age of states.
type ages struct {
	branch string
	fresh  map[key]bool // an artifact of the branch is in its first half
}

func (a ages) note(k key, one github.Artifact) {
	if one.Expired || one.Foreign() || k.claim().Preview() != "" {
		return
	}
	a.fresh[k] = a.fresh[k] || one.HeadBranch == a.branch && time.Now().Before(halfTime(one))
}

// ask looks for apps by name, in all workspaces that are known.
func (a ages) ask(ctx context.Context, client *github.Client, project string, apps, workspaces []string) error {
	everywhere := map[string]bool{}
	for _, name := range workspaces {
		everywhere[name] = true
	}
	for k := range a.fresh {
		if k.project == project {
			everywhere[k.workspace] = true
		}
	}
	for _, app := range apps {
		for workspace := range everywhere {
			k := key{project, app, workspace}
			if _, known := a.fresh[k]; known {
				continue
			}
			for one, err := range client.Artifacts(ctx, k.name(1)) {
				if err != nil {
					return err
				}
				a.note(k, one)
				break // the newest
			}
		}
	}
	return nil
}

// keyNamed returns what an artifact of that name is about, if it is state.
func keyNamed(name string) (key, bool) {
	parts := strings.Split(name, ".")
	if len(parts) < 4 || len(parts) > 5 || parts[0] != "deploy-action" {
		return key{}, false
	}
	k := key{unescape(parts[1]), unescape(parts[2]), unescape(parts[3])}
	return k, k.names(name)
}

// unescape is the inverse of escape. What escape does not make comes back as
// something else.
func unescape(part string) string {
	var b strings.Builder
	for {
		plain, rest, escaped := strings.Cut(part, "~")
		b.WriteString(plain)
		if !escaped || len(rest) < 2 {
			return b.String()
		}
		raw, err := hex.DecodeString(rest[:2])
		if err != nil {
			return b.String()
		}
		b.Write(raw)
		part = rest[2:]
	}
}
