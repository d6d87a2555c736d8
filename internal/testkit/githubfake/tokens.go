package githubfake

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// botLogin is who acts with a token that nobody has made known.
const botLogin = "github-actions[bot]"

// Token is what somebody may do. Tokens that nobody has made known may do
// everything, as [botLogin].
type Token struct {
	Text         string    `json:"text"`
	Permissions  []string  `json:"permissions"`  // such as "deployments: write", which allows reading as well
	Login        string    `json:"login"`        // "" is that of the bot of GitHub Actions
	Repositories []string  `json:"repositories"` // names without the owner; none for all
	Expires      time.Time `json:"expires"`      // zero for never
}

// AddToken makes a token known, or replaces one.
func (f *Fake) AddToken(t Token) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addToken(t)
}

func (f *Fake) addToken(t Token) Token {
	if t.Login == "" {
		t.Login = botLogin
	}
	f.data.Tokens[t.Text] = t
	return t
}

// caller returns the token of a request, if somebody has made it known.
func (f *Fake) caller(r *http.Request) (Token, bool) {
	t, ok := f.data.Tokens[bearer(r)]
	return t, ok
}

func (f *Fake) login(r *http.Request) string {
	if t, ok := f.caller(r); ok {
		return t.Login
	}
	return botLogin
}

func bearer(r *http.Request) string {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "token") {
		return ""
	}
	return text
}

// sees reports whether a token is good for a repository at all.
func (t Token) sees(repository string) bool {
	return len(t.Repositories) == 0 || slices.Contains(t.Repositories, repository)
}

// may reports whether a token has a permission, or one that includes it.
func (t Token) may(permission string) bool {
	scope, level, _ := strings.Cut(permission, ": ")
	return permission == "" || slices.Contains(t.Permissions, permission) ||
		level == "read" && slices.Contains(t.Permissions, scope+": write")
}

// acceptedPermissions spells a permission as GitHub's header does.
func acceptedPermissions(permission string) string {
	scope, level, _ := strings.Cut(permission, ": ")
	return strings.ReplaceAll(scope, "-", "_") + "=" + level
}

// user is how an account stands in answers. Equal names have equal IDs.
func user(login string) map[string]any {
	id, kind := int64(41898282), "Bot"
	if login != botLogin {
		id = 0
		for _, b := range []byte(login) {
			id = id*31 + int64(b)
			id %= 1_000_000_007
		}
	}
	if !strings.HasSuffix(login, "[bot]") {
		kind = "User"
	}
	return complete("simple-user", map[string]any{"login": login, "id": id, "type": kind})
}
