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
// It goes by the lists alone, and by artifacts of branches that the client, run,
// project and refs of o believe. Whoever reads the state decides whether to
// believe it, and renews it.
func Aging(ctx context.Context, o Options, workspaces []string) ([]claim.Key, error) {
	a := ages{
		project: o.Project, fresh: map[key]bool{},
		ours:   trust{client: o.Client, run: o.Run, refs: o.Refs, refsOf: o.RefsOf, defaultBranch: o.Run.DefaultBranch},
		others: trust{client: o.Client, run: o.Run, refs: o.Refs, defaultBranch: o.Run.DefaultBranch},
	}
	listed := 0
	for one, err := range o.Client.Artifacts(ctx, "") {
		if err != nil {
			return nil, err
		}
		if k, ok := keyNamed(one.Name); ok {
			if err := a.note(ctx, k, one); err != nil {
				return nil, err
			}
		}
		if listed++; listed == mostSwept {
			break
		}
	}
	if listed == mostSwept { // there may be older ones, of apps at rest
		if err := a.ask(ctx, o, workspaces); err != nil {
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
	project string
	ours    trust        // in branches, for what the project is about
	others  trust        // for all else, of whose files nothing is known
	fresh   map[key]bool // an artifact of a branch that is believed is in its first half
}

func (a *ages) note(ctx context.Context, k key, one github.Artifact) error {
	if one.Expired || one.Foreign() || k.claim().Preview() != "" {
		return nil
	}
	trust := &a.others
	if k.project == a.project {
		trust = &a.ours
	}
	fresh := a.fresh[k]
	var err error
	if !fresh && time.Now().Before(halfTime(one)) {
		fresh, err = trust.believes(ctx, k, one.HeadBranch)
	}
	a.fresh[k] = fresh
	return err
}

// ask looks for apps by name, in all workspaces that are known.
func (a *ages) ask(ctx context.Context, o Options, workspaces []string) error {
	everywhere := map[string]bool{}
	for _, name := range workspaces {
		everywhere[name] = true
	}
	for k := range a.fresh {
		if k.project == o.Project {
			everywhere[k.workspace] = true
		}
	}
	for _, app := range o.Apps {
		for workspace := range everywhere {
			k := key{o.Project, app, workspace}
			if _, known := a.fresh[k]; known {
				continue
			}
			for one, err := range o.Client.Artifacts(ctx, k.name(1)) {
				if err != nil {
					return err
				}
				if err := a.note(ctx, k, one); err != nil {
					return err
				}
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
