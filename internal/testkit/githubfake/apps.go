package githubfake

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// App is a GitHub App. The repository is in its one installation, unless Absent
// says otherwise.
type App struct {
	ID          string         `json:"id"`
	Slug        string         `json:"slug"` // its bot is called slug[bot]
	Key         *rsa.PublicKey `json:"key"`
	Permissions []string       `json:"permissions"` // as of a [Token]
	Absent      bool           `json:"absent"`      // not installed in the repository
	Install     int64          `json:"install"`     // the ID of its installation; 0 for a new one
}

// AddApp makes a GitHub App known, or replaces one.
func (f *Fake) AddApp(a App) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.Slug == "" {
		a.Slug = "app-" + a.ID
	}
	if a.Install == 0 {
		a.Install = f.newID()
	}
	f.data.Apps[a.ID] = a
}

func (f *Fake) routeApps() {
	f.mux.HandleFunc("GET /repos/{owner}/{repo}/installation", f.asApp(f.showInstallation))
	f.mux.HandleFunc("POST /app/installations/{id}/access_tokens", f.asApp(f.createToken))
	f.mux.HandleFunc("DELETE /installation/token", f.revokeToken)
}

// asApp lets in who shows that it is an App.
func (f *Fake) asApp(next func(http.ResponseWriter, *http.Request, App)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, refusal := f.authenticateApp(bearer(r))
		switch {
		case refusal != "":
			refuseREST(w, http.StatusUnauthorized, refusal)
		case a.Absent:
			refuseREST(w, http.StatusNotFound, "Not Found")
		default:
			next(w, r, a)
		}
	}
}

// authenticateApp is as strict about times as GitHub. The refusal is "" for an
// App that f knows.
func (f *Fake) authenticateApp(text string) (a App, refusal string) {
	const undecoded = "A JSON web token could not be decoded"
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
	var claims jwt.Claims
	if err != nil || token.UnsafeClaimsWithoutVerification(&claims) != nil {
		return App{}, undecoded
	}
	a, ok := f.data.Apps[claims.Issuer]
	if !ok {
		return App{}, "Integration not found"
	}
	now := f.options.Now()
	switch issued, expires := claims.IssuedAt.Time(), claims.Expiry.Time(); {
	case token.Claims(a.Key, &claims) != nil:
		refusal = undecoded
	case issued.After(now):
		refusal = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	case !expires.After(now):
		refusal = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	case expires.After(now.Add(10 * time.Minute)):
		refusal = "'Expiration time' claim ('exp') is too far in the future"
	}
	return a, refusal
}

func (f *Fake) showInstallation(w http.ResponseWriter, _ *http.Request, a App) {
	answerJSON(w, http.StatusOK, complete("installation", map[string]any{
		"id": a.Install, "app_slug": a.Slug, "account": user("octo"), "created_at": someTime, "updated_at": someTime, "permissions": permissionsJSON(a.Permissions),
	}))
}

func (f *Fake) createToken(w http.ResponseWriter, r *http.Request, a App) {
	var req struct{ Repositories []string }
	if !decode(w, r, &req) {
		return
	}
	if number(r.PathValue("id")) != a.Install {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	t := Token{
		Text: "ghs_" + rand.Text(), Permissions: a.Permissions, Login: a.Slug + "[bot]",
		Repositories: req.Repositories, Expires: f.options.Now().Add(time.Hour).UTC(),
	}
	f.data.Tokens[t.Text] = t
	answerJSON(w, http.StatusCreated, map[string]any{
		"token": t.Text, "expires_at": t.Expires.Format(time.RFC3339), "permissions": permissionsJSON(t.Permissions), "repository_selection": "selected",
	})
}

func (f *Fake) revokeToken(w http.ResponseWriter, r *http.Request) {
	t, ok := f.caller(r)
	if !ok || !strings.HasPrefix(t.Text, "ghs_") {
		refuseREST(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	}
	t.Expires = f.options.Now()
	f.data.Tokens[t.Text] = t
	w.WriteHeader(http.StatusNoContent)
}

func permissionsJSON(permissions []string) map[string]any {
	list := map[string]any{}
	for _, permission := range permissions {
		scope, level, _ := strings.Cut(permission, ": ")
		list[strings.ReplaceAll(scope, "-", "_")] = level
	}
	return list
}
