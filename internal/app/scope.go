package app

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// sharedScope is what the default branch stores and everybody reads.
const sharedScope = "default"

// ownEvents start a run with the code of the ref that they name, and nobody
// else's. Others, such as issue_comment or workflow_run, name the default branch
// and may still check out what a stranger proposes.
var ownEvents = []string{"push", "schedule", "workflow_dispatch", "repository_dispatch"}

// cacheScope keeps what runs store for later ones apart by whose code they run.
// A terminal only reads.
func cacheScope(onRunner bool, c workflow.Context) component.CacheScope {
	if !onRunner {
		return component.CacheScope{Read: []string{sharedScope}}
	}
	own := slices.Contains(ownEvents, c.Event)
	switch {
	case c.PullRequest != nil:
		return scopeOf(fmt.Sprintf("pr-%d", c.PullRequest.Number))
	case own && c.DefaultBranch != "" && c.Ref == "refs/heads/"+c.DefaultBranch:
		return component.CacheScope{Write: sharedScope, Read: []string{sharedScope}}
	case own:
		return scopeOf("ref-" + short(c.Ref))
	}
	return scopeOf("event-" + short(c.Event+" "+c.Ref))
}

// scopeOf is one of its own that also reads what all do.
func scopeOf(name string) component.CacheScope {
	return component.CacheScope{Write: name, Read: []string{name, sharedScope}}
}

// short makes a word of any text.
func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
