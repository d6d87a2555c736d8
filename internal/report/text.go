package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// textLimit is how many characters GitHub keeps of the text of a status.
const textLimit = 140

// shownDigest is as much of a digest as people compare.
const shownDigest = len("sha256:") + 12

// identity is what the text of a status says of a deployment.
type identity struct {
	deployment string
	sequence   int    // of the deploy; 0 where it is not known
	digest     string // of what was deployed; "" where there is none
}

// String is the identity as it ends a text: each part that is known. What could
// not be read back, as records of others may hold, is left out.
func (i identity) String() string {
	text := " · " + i.deployment
	for _, part := range []string{fmt.Sprintf(" · no. %d", i.sequence), " · " + i.digest[:min(len(i.digest), shownDigest)]} {
		if isIdentity(text + part) {
			text += part
		}
	}
	if !isIdentity(text) {
		return ""
	}
	return text
}

// isIdentity reports whether text is an identity and nothing else.
func isIdentity(text string) bool {
	found := identityText.FindStringIndex(text)
	return found != nil && found[0] == 0
}

// statusText is the text of a status: what happened, cut to leave room for the
// identity, which is whole always. [ParseStatus] reads it back.
func statusText(what string, of identity) string {
	end := of.String()
	room := textLimit - len([]rune(end))
	// Who reads the text looks for the identity behind this character.
	runes := []rune(strings.ReplaceAll(oneLine(what), "·", "-"))
	if len(runes) > room {
		runes = append(runes[:room-1], '…')
	}
	return string(runes) + end
}

// identityText is how a text ends that has an identity.
var identityText = regexp.MustCompile(` · ([a-z0-9-]{1,63})(?: · no\. ([1-9][0-9]{0,8}))?(?: · ([a-z0-9]{1,12}:[0-9a-f]{1,12}))?$`)

// ParseStatus reads which deployment the text of a status is about, so that a
// state that was lost can be made again. The grammar is
//
//	text     = what [ identity ]
//	identity = " · " deployment [ " · no. " sequence ] [ " · " digest ]
//
// in which digest has its first 12 digits only. What happened is told by the
// state of the status. It is not ok where the text names no deployment; a
// sequence of 0 and a digest of "" were not told.
func ParseStatus(text string) (deployment string, sequence int, digest string, ok bool) {
	found := identityText.FindStringSubmatch(text)
	if found == nil {
		return "", 0, "", false
	}
	// What is no number is too long for one, or was left out: both are unknown.
	sequence, _ = strconv.Atoi(found[2])
	return found[1], sequence, found[3], true
}

// DeployedOnly is how the text of a status begins that tells of a deployment
// which is not released.
const DeployedOnly = "deployed"

// doneWords say what an operation that went well came to.
var doneWords = map[string]string{"build": "built", "push": "pushed", "deploy": DeployedOnly, "release": "released"}
