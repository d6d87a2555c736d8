package runstore

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// file is the one file in a state artifact, and in the commit of a state ref.
const file = "state.jsonl.gz"

// key names what one state file is about. Each has its own, so that jobs for
// different apps never meet.
type key struct {
	project, app, workspace string
}

// claim is k as locks and intents know it.
func (k key) claim() claim.Key {
	return claim.Key{Project: k.project, App: k.app, Workspace: k.workspace}
}

func keyOf(r state.Record) key { return key{r.Project, r.App, r.Workspace} }

func compareKeys(a, b key) int { return strings.Compare(a.name(1), b.name(1)) }

// name returns the artifact's name. A run's first upload has number 1 and the
// plain name, by which other runs find it; later ones have a suffix.
func (k key) name(number int) string {
	base := fmt.Sprintf("deploy-action.%s.%s.%s", escape(k.project), escape(k.app), escape(k.workspace))
	if number == 1 {
		return base
	}
	return base + "." + strconv.Itoa(number)
}

// longestPart leaves room below what file systems allow, for git may keep a ref
// as a file.
const longestPart = 200

// ref returns the git ref of k. It always has as many parts, so no ref is the
// folder of another.
func (k key) ref() string {
	project := refPart(k.project)
	if project == "lock" {
		project = "=lock" // refs/deploy-action/lock is for locks
	}
	return "refs/deploy-action/" + project + "/" + refPart(k.app) + "/" + refPart(k.workspace)
}

// refPart makes one part of a ref, as escape makes one of a name. A ref may
// hold no tilde, and no part may be empty.
func refPart(text string) string {
	part := strings.ReplaceAll(escape(text), "~", "=")
	switch {
	case part == "":
		return "="
	case len(part) > longestPart:
		return fmt.Sprintf("%s=-%x", part[:100], sha256.Sum256([]byte(text)))
	}
	return part
}

// names reports whether an artifact of that name is about k. No part of a name
// holds a dot, so the name of one key never begins with that of another.
func (k key) names(artifact string) bool {
	suffix, found := strings.CutPrefix(artifact, k.name(1))
	if !found || suffix == "" {
		return found
	}
	digits, dotted := strings.CutPrefix(suffix, ".")
	number, err := strconv.Atoi(digits)
	return dotted && err == nil && number > 1
}

// escape makes one part of a name: letters, digits, dash and underscore stay,
// every other byte becomes ~ and two hex digits. Different texts give different
// parts, and none of the characters needs escaping in a URL.
func escape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "~%02x", c)
		}
	}
	return b.String()
}
