package github_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/deploy-action/deploy-action/internal/github"
)

// issuer answers requests for tokens with what answer writes.
func issuer(answer http.HandlerFunc) github.Issuer {
	return github.Issuer{
		URL: "https://runner.example/token?api-version=2.0", Token: "request-token-value",
		HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			recorder := httptest.NewRecorder()
			answer(recorder, r)
			return recorder.Result(), nil
		})},
	}
}

func TestIDToken(t *testing.T) {
	t.Parallel()
	var asked []string
	i := issuer(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Authorization")+" "+r.URL.RawQuery)
		_, _ = w.Write([]byte(`{"count": 1, "value": "the.new.token"}`))
	})
	for _, audience := range []string{"", "https://vault.example/"} {
		token, err := i.IDToken(t.Context(), audience)
		if err != nil || token.Reveal() != "the.new.token" {
			t.Fatalf("IDToken(%q) = %v, %v", audience, token, err)
		}
	}
	want := "Bearer request-token-value api-version=2.0\nBearer request-token-value api-version=2.0&audience=https%3A%2F%2Fvault.example%2F"
	if got := strings.Join(asked, "\n"); got != want {
		t.Errorf("requests:\n%s\nwant:\n%s", got, want)
	}
}

func TestIDTokenIsNotToBeHad(t *testing.T) {
	t.Parallel()
	if _, err := (github.Issuer{}).IDToken(t.Context(), ""); !errors.Is(err, github.ErrNoIDToken) {
		t.Errorf("IDToken: %v, want ErrNoIDToken", err)
	}
}

func TestIDTokenIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		tries  int
	}{
		"busy":       {http.StatusBadGateway, "", 5},
		"too many":   {http.StatusTooManyRequests, "", 5},
		"no token":   {http.StatusOK, `{}`, 5},
		"no JSON":    {http.StatusOK, `<html>`, 5},
		"a refusal":  {http.StatusForbidden, `{"message": "no"}`, 1},
		"not signed": {http.StatusUnauthorized, ``, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				_, err := issuer(func(w http.ResponseWriter, _ *http.Request) {
					tries++
					w.WriteHeader(c.status)
					_, _ = w.Write([]byte(c.body))
				}).IDToken(t.Context(), "")
				if err == nil || tries != c.tries {
					t.Errorf("IDToken: %v after %d tries, want an error after %d", err, tries, c.tries)
				}
				if strings.Contains(err.Error(), "request-token-value") {
					t.Errorf("the error shows the token: %v", err)
				}
			})
		})
	}
}
